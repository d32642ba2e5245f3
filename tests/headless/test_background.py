"""Steps that work while the notebook goes on, and after its last cell."""

from written import Write, read_notebook, statuses, texts

from stepwell.headless import run_notebook


def test_what_a_step_says_late_is_in_its_own_cell(write: Write) -> None:
    """Streams, displays, updates and clears of a background step change its cell only."""
    path = write(
        "%load_ext standin\nimport threading; go = threading.Event()",
        "%%step a\nsay('early ')\ngo.wait(10)\nsay('and '); say('late\\n')\n"
        "show('one', transient={'display_id': 'x'})",
        "%%step b\nsay('gone')\ngo.wait(10)\nclear(True)\nshow('instead')",
        "print('mine'); go.set()",
    )

    result = run_notebook(path)

    done = read_notebook(result.output)
    assert [texts(one) for one in done.cells] == [
        [],
        ["a: done", "early and late\n", "one"],
        ["instead"],
        ["mine\n"],
    ]
    assert statuses(done) == ["completed"] * 4
    assert result.exit_code == 0
