"""What Tab offers."""

from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter

from stepwell.errors import StoreLocked
from stepwell.magics._completion import candidates
from stepwell.magics._step import STEP_OPTIONS as ALL_OPTIONS
from stepwell.magics._verbs import VERBS

STEPS = ["plan", "search", "draft-2"]
OUTPUTS = ["queries", "hits", "report"]
RUNS = ["brave-otter", "calm-heron"]
STEP_OPTIONS = [option.name for option in ALL_OPTIONS if not option.later]


@pytest.mark.parametrize(
    ("before", "typed", "offered"),
    [
        ("%%step ", "", STEPS),
        ("%%step pl", "pl", ["plan"]),
        ("%%step new ", "", STEP_OPTIONS),
        ("%%step new --al", "--al", ["--always"]),
        ("%%step new --defer --", "--", [name for name in STEP_OPTIONS if name != "--defer"]),
        ("%%step new -", "-", STEP_OPTIONS),
        ("%%step new --after ", "", STEPS),
        ("%%step new --after se", "se", ["search"]),
        ("%%step new --after plan,", "", ["search", "draft-2"]),
        ("%%step new --after plan,dr", "dr", ["draft-2"]),
        ("%%step new --after plan, ", "", ["search", "draft-2"]),
        ("%%step new --after=p", "p", ["plan"]),
        ("%%step new --after plan ", "", [name for name in STEP_OPTIONS if name != "--after"]),
        ("%%step plan --after ", "", ["search", "draft-2"]),
        ("%%step new --in ", "", OUTPUTS),
        ("%%step new --in q", "q", ["queries"]),
        ("%%step new --agent ", "", []),
        ("%%step new --transient ", "", []),
        ("%stepwell ", "", list(VERBS)),
        ("%stepwell re", "re", [verb for verb in VERBS if verb.startswith("re")]),
        ("  x = %stepwell sh", "sh", ["show"]),
        ("%%stepwell s", "s", ["status", "show", "stop", "send", "sql", "store"]),
        ("%stepwell show ", "", [*STEPS, "researcher/look", *RUNS]),
        ("%stepwell show calm", "calm", ["calm-heron"]),
        ("%stepwell show plan ", "", []),
        ("%stepwell resume ", "", RUNS),
        ("%stepwell run plan ", "", ["search", "draft-2"]),
        ("%stepwell run plan,se", "se", ["search"]),
        ("%stepwell run --", "--", ["--fresh", "--undo-on-failure"]),
        ("%stepwell run --fresh ", "", STEPS),
        ("%stepwell wait plan --t", "--t", ["--timeout"]),
        ("%stepwell wait --timeout ", "", []),
        ("%stepwell wait --timeout 3s ", "", STEPS),
        ("%stepwell status ", "", []),
        ("%stepwell sql ", "", []),
        ("%stepwell bogus ", "", []),
    ],
)
def test_words_that_fit_are_offered(
    notebook: Any, before: str, typed: str, offered: list[str]
) -> None:
    """Options, steps, outputs, runs and verbs, each where it belongs and not yet typed."""
    fragment, found = candidates(notebook, before, first=True)
    assert [each.text for each in found] == offered
    assert fragment == typed or not offered


@pytest.mark.parametrize(
    "before", ["%%step", "%step ", "x = 1", "%%setup ", "# %stepwell ", "%%steps "]
)
def test_other_lines_are_left_alone(notebook: Any, before: str) -> None:
    """Nothing is offered where the line is not ours."""
    assert candidates(notebook, before, first=True) == ("", [])


def test_a_cell_magic_is_one_only_on_the_first_line(notebook: Any) -> None:
    """Further down, `%%step` is text; `%stepwell` is a magic on any line."""
    assert candidates(notebook, "%%step plan --a", first=False)[1] == []
    assert candidates(notebook, "%stepwell sta", first=False)[1] != []


def test_trouble_offers_nothing(notebook: Any) -> None:
    """Tab never shows an error."""
    notebook.fails = StoreLocked("another kernel has it")
    assert candidates(notebook, "%stepwell forget ", first=True)[1] == []
    assert [each.text for each in candidates(notebook, "%stepwell show ", first=True)[1]] == RUNS


def complete(shell: Any, code: str) -> list[tuple[str, str]]:
    """Each completion as the text it would leave, with its type."""
    completer = shell.Completer
    with provisionalcompleter():
        found = list(completer.completions(code, len(code)))
    return [(code[: each.start] + each.text + code[each.end :], each.type) for each in found]


def test_ipython_offers_only_ours_on_our_line(shell: Any) -> None:
    """Names and files of other matchers do not come in between; kinds are given."""
    code = "\n%%step plan --after sea"
    assert complete(shell, code) == [("\n%%step plan --after search", "step")]
    assert [text for text, _ in complete(shell, "%stepwell show draft-")] == [
        "%stepwell show draft-2"
    ]
    with pytest.warns(PendingDeprecationWarning):
        _, offered = shell.complete("--a", "%%step plan --a", 15)
    assert offered == ["--after", "--always", "--agent", "--approve", "--approve-timeout"]


def test_code_below_the_line_is_completed_as_ever(shell: Any) -> None:
    """The body of a step is Python like any other."""
    shell.user_ns["recipe_book"] = {}
    offered = [text for text, _ in complete(shell, "%%step plan --defer\nrecipe_b")]
    assert offered == ["%%step plan --defer\nrecipe_book"]


def test_unregistering_ends_it(bare_shell: Any) -> None:
    """Without the magics nothing of ours is offered."""
    assert "forget" not in [text for text, _ in complete(bare_shell, "%stepwell forge")]
