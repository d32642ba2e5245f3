"""`%stepwell VERB …`."""

from typing import Any

import pytest

from stepwell.errors import InvalidUsage
from stepwell.magics._stepwell import STEPWELL_HELP, obey
from stepwell.magics._verbs import VERBS


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("plan", ("plan", (), {"is_json": False})),
        ("plan a b --json", ("plan", ("a", "b"), {"is_json": True})),
        ("run", ("run", (), {"fresh": False, "undo_on_failure": False})),
        ("run a, b,c --fresh", ("run", ("a", "b", "c"), {"fresh": True, "undo_on_failure": False})),
        ("run\ta", ("run", ("a",), {"fresh": False, "undo_on_failure": False})),
        ("resume", ("resume", "")),
        ("resume brave-otter", ("resume", "brave-otter")),
        ("wait", ("wait", (), {"timeout": None})),
        ("wait a b --timeout 1.5m", ("wait", ("a", "b"), {"timeout": 90.0})),
        ("wait --timeout 0", ("wait", (), {"timeout": 0.0})),
        ("status", ("status",)),
        ("  status  # how far are we", ("status",)),
        ("runs", ("runs",)),
        ("show a", ("show", "a")),
        ("rerun a b", ("rerun", ("a", "b"), {"downstream": False, "failed": False})),
        ("rerun a --downstream", ("rerun", ("a",), {"downstream": True, "failed": False})),
        ("rerun a --failed", ("rerun", ("a",), {"downstream": False, "failed": True})),
        ("diff brave-otter", ("diff", "brave-otter")),
        ("diff brave-otter calm-heron", ("diff", "brave-otter", "calm-heron")),
        ("fork calm-heron", ("fork", "calm-heron", {"start": "", "given": ()})),
        (
            "fork calm-heron --from a --set x=1 --set 'y=[1, 2]'",
            ("fork", "calm-heron", {"start": "a", "given": ("x=1", "y=[1, 2]")}),
        ),
        ("export", ("export", "")),
        ("export 'my agent.py'", ("export", "my agent.py")),
        ("restore a", ("restore", "a", {"into": ""})),
        ("restore a calm-heron --into then", ("restore", "a", "calm-heron", {"into": "then"})),
        ("forget a", ("forget", "a")),
        ("cancel", ("cancel", (), {"undo": False})),
        ("cancel a", ("cancel", ("a",), {"undo": False})),
        ("history a", ("history", "a")),
        ("store", ("store", "")),
        ("store 'my folder/x.duckdb'", ("store", "my folder/x.duckdb")),
        ("store ./vacuum", ("store", "./vacuum")),
        ("store vacuum", ("vacuum",)),
        ("store check", ("check",)),
        ("store snapshot 'a copy.duckdb'", ("snapshot", "a copy.duckdb")),
        ("store prune --keep 3", ("prune", {"runs": 3})),
        ("store prune --keep=30d", ("prune", {"seconds": 2_592_000.0})),
    ],
)
def test_each_verb_asks_the_notebook(notebook: Any, line: str, call: tuple[object, ...]) -> None:
    """One line, one request."""
    obey(notebook, line)
    assert notebook.calls == [call]


def test_the_answer_is_handed_on(notebook: Any) -> None:
    """What the notebook answers is what IPython displays."""
    assert obey(notebook, "status") == "<status>"
    assert obey(notebook, "wait") is None


@pytest.mark.parametrize(
    "query",
    [
        "select * from steps where name = 'a b'",
        """select '{x}', "$y" -- no # comment""",
        "select 'it''s' --help",
        "select   1",
    ],
)
def test_a_query_is_taken_word_for_word(notebook: Any, query: str) -> None:
    """Quotes, dollars, braces, hyphens and spaces belong to SQL."""
    obey(notebook, f"sql {query}")
    assert notebook.calls == [("sql", query)]


def test_a_query_may_stand_in_the_cell(notebook: Any) -> None:
    """Below the line, or begun on it."""
    obey(notebook, "sql", "select 1,\n  2\n")
    obey(notebook, "sql select 1,", "  2\n")
    assert notebook.calls == [("sql", "select 1,\n  2"), ("sql", "select 1,\n  2")]


@pytest.mark.parametrize(
    ("line", "cell", "says"),
    [
        ("rn", None, "%stepwell has no verb 'rn'. Did you mean 'run'"),
        ("show", None, "it is written %stepwell show STEP|RUN"),
        ("show a b", None, "it is written %stepwell show STEP|RUN; got a b"),
        ("status a", None, "it is written %stepwell status; got a"),
        ("rerun", None, "it is written %stepwell rerun STEP…"),
        ("forget a b", None, "it is written %stepwell forget STEP; got a b"),
        ("run --fersh", None, "%stepwell run has no option --fersh. Did you mean '--fresh'"),
        ("status --fresh", None, "%stepwell status takes no options; leave --fresh out"),
        ("wait --timeout soon", None, "--timeout: 'soon' is not a duration"),
        ("wait --timeout ''", None, "--timeout: '' is not a duration"),
        ("show 'a", None, "%stepwell show: a quotation mark is opened and not closed"),
        ("sql", None, "there is no query: %stepwell sql select"),
        ("sql", "\n \n", "there is no query"),
        ("store prune", None, "say what to keep: %stepwell store prune --keep 10"),
        ("store prune --keep few", None, "--keep: 'few' is not a duration"),
        ("store snapshot", None, "a snapshot needs a file"),
        ("store vacuum now", None, "%stepwell store vacuum takes nothing more"),
        ("store --keep 3", None, "--keep belongs to prune"),
        (
            "run",
            "x = 1\n",
            "%%stepwell run: only reject, respond, send, sql take the rest of the cell",
        ),
    ],
)
def test_mistakes_are_named(notebook: Any, line: str, cell: str | None, says: str) -> None:
    """The message says what is wrong and how it is written; the notebook is not bothered."""
    with pytest.raises(InvalidUsage) as caught:
        obey(notebook, line, cell)
    assert says in str(caught.value)
    assert notebook.calls == []


@pytest.mark.parametrize("line", ["", "   ", "--help", "-h"])
def test_without_a_verb_it_lists_them(
    notebook: Any, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    """Every verb, and a line that says what it is for."""
    assert obey(notebook, line) is None
    printed = capsys.readouterr().out
    assert printed == STEPWELL_HELP
    assert [name for name in VERBS if f"\n  {name}" not in printed] == []


@pytest.mark.parametrize("name", list(VERBS))
def test_each_verb_explains_itself(
    notebook: Any, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Its usage first, then what it promises, then its options."""
    assert obey(notebook, f"{name} --help") is None
    printed = capsys.readouterr().out
    assert printed.startswith(VERBS[name].usage)
    assert all(option.help in printed for option in VERBS[name].options)
    assert notebook.calls == []
