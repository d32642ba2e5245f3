"""Steps that work while the notebook goes on, and after its last cell."""

import json
from pathlib import Path

import pytest
from written import Write, cell, markdown, read_notebook, statuses, texts

from stepwell.headless import run_notebook


def test_what_a_step_says_late_is_in_its_own_cell(write: Write) -> None:
    """Streams, displays, updates and clears of a background step change its cell only."""
    path = write(
        "%load_ext standin\nimport threading; go = threading.Event()",
        "%%step a\nsay('early ')\ngo.wait(10)\nsay('and '); say('late\\n')\nshow('one')",
        "%%step b\nsay('gone')\ngo.wait(10)\nclear(True)\nshow('instead')",
        "%%step c\ngo.wait(10)\nshow('gone'); clear(False)\nsay('again')",
        "print('mine'); go.set()",
    )

    result = run_notebook(path)

    done = read_notebook(result.output)
    assert [texts(one) for one in done.cells] == [
        [],
        ["a: done", "early and late\n", "one"],
        ["instead"],
        ["again"],
        ["mine\n"],
    ]
    assert statuses(done) == ["completed"] * 5
    assert result.exit_code == 0
    assert [(card.step, card.phase) for card in result.run] == [(s, "done") for s in "abc"]


def test_after_the_last_cell_the_steps_are_waited_for(write: Write, tmp_path: Path) -> None:
    """The wait is no cell of the notebook; what it brings is in the steps' cells."""
    path = write(
        "%load_ext standin\nimport time",
        "%%step slow\ntime.sleep(0.5); show('at last')",
        "%%step saved restored=4.0\npass",
        "shown = display('before', display_id='d')",
        "%%step changer\ntime.sleep(0.5)\nshow('after', transient={'display_id': 'd'})",
        name="waits.ipynb",
    )

    result = run_notebook(path)

    done = read_notebook(result.output)
    assert texts(done.cells[1]) == ["slow: done", "at last"]
    assert texts(done.cells[3]) == ["after"]
    assert len(done.cells) == 5
    assert done.cells[1].metadata.stepwell.finished > done.cells[4].metadata.stepwell.started
    assert result.output == tmp_path / "waits.executed.ipynb"
    assert [card.step for card in result.restored] == ["saved"]
    assert result.seconds_saved == 4.0


def test_a_failed_step_fails_the_run_and_is_shown_in_its_cell(write: Write) -> None:
    """Other steps still come to their end; the cell of the failed one says so."""
    path = write(
        "%load_ext standin\nimport time",
        "%%step draft\nraise ValueError('no words')",
        "%%step other\ntime.sleep(0.3); show('fine')",
        "1 + 1",
    )

    result = run_notebook(path)

    done = read_notebook(result.output)
    assert result.exit_code == 1
    assert result.message == "step 'draft' failed: ValueError: no words"
    assert texts(done.cells[1]) == ["draft: failed", "ValueError: no words"]
    assert texts(done.cells[2]) == ["other: done", "fine"]
    assert statuses(done) == ["completed", "failed", "completed", "completed"]


def test_what_has_begun_may_end_after_a_cell_has_failed(write: Write) -> None:
    """No further cell is executed, but what steps have begun is not thrown away."""
    path = write(
        "%load_ext standin\nimport time",
        "%%step paid\ntime.sleep(0.5); show('kept')",
        "1/0",
        "'never'",
    )

    result = run_notebook(path)

    done = read_notebook(result.output)
    assert (result.exit_code, result.unfinished) == (1, ())
    assert result.message == "cell 3 (1/0) failed: ZeroDivisionError: division by zero"
    assert texts(done.cells[1]) == ["paid: done", "kept"]
    assert statuses(done) == ["completed", "completed", "failed", "not run"]


def test_the_kernel_knows_the_cell_the_notebook_and_the_store(write: Write, tmp_path: Path) -> None:
    """Cell id and tags come with each cell; paths and mode are in the environment."""
    see = (
        "import os, json\n"
        "said = get_ipython().get_parent()['metadata']\n"
        "env = {k: v for k, v in os.environ.items() if k.startswith('STEPWELL_')}\n"
        "print(json.dumps({'said': said, 'env': env, 'cwd': os.getcwd()}))"
    )
    path = write(markdown("# prose"), cell(see, "first", "second"), see)

    result = run_notebook(path, store=tmp_path / "kept" / "s.duckdb", mode="fresh")

    done = read_notebook(result.output)
    first, second = (json.loads(done.cells[i].outputs[0].text) for i in (1, 2))
    assert first["said"]["tags"] == ["first", "second"]
    assert second["said"]["tags"] == []
    assert [first["said"]["cellId"], second["said"]["cellId"]] == [c.id for c in done.cells[1:]]
    assert first["cwd"] == str(tmp_path)
    assert first["env"] == {
        "STEPWELL_NOTEBOOK": str(path),
        "STEPWELL_STORE": str(tmp_path / "kept" / "s.duckdb"),
        "STEPWELL_RUN": "fresh",
    }


def test_runs_inside_an_event_loop(write: Write) -> None:
    """A notebook can run another notebook, although its own loop is running."""
    import anyio

    path = write("6 * 7")

    async def inside() -> None:
        done = read_notebook(run_notebook(path).output)
        assert texts(done.cells[0]) == ["42"]

    anyio.run(inside)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"mode": "resume"}, "nothing to resume"),
        ({"mode": "again"}, "mode is"),
        ({"timeout": 0}, "more than 0 seconds"),
        ({"kernel": "cobol"}, "no kernel 'cobol'"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(
    write: Write, tmp_path: Path, options: dict[str, object], says: str
) -> None:
    """The error names the trouble; no notebook is written."""
    from stepwell.errors import InvalidUsage

    path = write("1")

    with pytest.raises(InvalidUsage, match=says):
        run_notebook(path, **options)  # type: ignore[arg-type]  # wrong on purpose

    assert list(tmp_path.iterdir()) == [path]
