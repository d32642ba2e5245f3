"""Text from models and users is only ever text, wherever it stands."""

import json
from dataclasses import replace
from typing import Any

import pytest
from page import refused_by_jupyterlab, text_of
from shown import NOON, a_step

from stepwell.orchestrator import ErrorInfo, Output, Phase, RunView, StepView, StreamView
from stepwell.widgets import (
    STEP_MIME,
    Bundle,
    HistoryRow,
    PlanRow,
    RunRow,
    card,
    history_table,
    plan_table,
    run_table,
    runs_table,
    store_table,
    table,
)

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "handler": '"><img src=x onerror="alert(1)">',
    "quote": "' onmouseover='alert(1)' x='",
    "closing": "</pre></details></div></td></table><h1>out</h1>",
    "style": '</style><style>*{display:none}</style><b style="position:fixed">',
    "comment": "<!-- --><![CDATA[ <?php ?>",
    "entity": "&lt;script&gt;&#x3c;b&#x3e;&amp;",
    "link": "[click](javascript:alert(1)) <a href=javascript:alert(1)>x</a>",
    "markdown": "# head\n* **bold** `code`\n```\n|a|b|\n|-|-|",
    "ansi": "\x1b[31;1mred\x1b[0m \x1b]8;;http://x\x07link",
    "bidi": "safe\u202egnp.exe\u2066x\u2069",
    "null": "nul\x00 bell\x07 del\x7f nel\x85 ls\u2028",
    "surrogate": "\ud800 and \udfff",
    "maths": "$x^2$ \\(y\\) \\begin{equation} $$z$$",
    "megabyte": "x" * 1_000_000,
    "lines": "y\n" * 100_000,
    "mixed": "<b>\x1b[0m" * 100_000,
}


def hostile_step(text: str, phase: Phase) -> StepView:
    """A step in which everything people or models wrote is the text."""
    return a_step(
        text,
        phase,
        run=text,
        reads=((text, text), (text, "")),
        writes=(text,) * 9,
        outputs={text: Output("d", type=text, size=3, preview=text)},
        error=ErrorInfo(text, text, f'  File "<step {text}>", line 4\n    {text}\n{text}', 4),
        waiting_for=(text,) * 9,
        blocked_by=(text,) if phase is Phase.WAITING else (),
        stale=(text,) * 9,
        diff=f"@@ {text}\n+{text}\n-{text}",
        note=text,
        source=text,
        streams=(StreamView(call=text, name=text, item=text, step=text, text=text, pieces=3),),
    )


def cards(text: str) -> list[Bundle]:
    """The hostile step in every state a card has."""
    views = [hostile_step(text, phase) for phase in Phase]
    views += [replace(view, stale=(), restored=True) for view in views]
    return [card(view, now=NOON) for view in views]


def tables(text: str) -> list[Bundle]:
    """The hostile text in every kind of table."""
    steps = tuple(hostile_step(text, phase) for phase in Phase)
    views = [
        run_table(
            RunView(run=text, flow=text, status="running", notebook=text, store=text, steps=steps),
            now=NOON,
            note=text,
        ),
        runs_table([RunRow(run=text, status=text, flow=text, notebook=text)], now=NOON, note=text),
        plan_table([PlanRow(step=text, action="stale", why=(text,), diff=text, after=(text,))]),
        history_table([_history(text)], now=NOON, step=text),
        store_table({text: text}, note=text),
        table([text], [[text]], title=text, note=text),
        table([text], [], empty=text),
    ]
    return [dict(view.bundle) for view in views]


def _history(text: str) -> HistoryRow:
    return HistoryRow(
        when=NOON,
        attempt=1,
        outcome=text,
        run=text,
        code=text,
        inputs={text: text},
        outputs={text: text},
        who=text,
        error=text,
    )


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_pages_pass_the_sanitizer_unchanged(text: str) -> None:
    """JupyterLab would take nothing out of any page: no tag, no attribute, no style."""
    for bundle in [*cards(text), *tables(text)]:
        assert refused_by_jupyterlab(bundle["text/html"]) == []


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_everything_can_be_sent_and_is_small(text: str) -> None:
    """Every form encodes as JSON and UTF-8 and stays far below what a front end refuses."""
    for bundle in [*cards(text), *tables(text)]:
        sent = json.dumps(bundle, ensure_ascii=False, allow_nan=False).encode()
        assert len(sent) < 400_000


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_nothing_is_left_that_commands_or_hides(text: str) -> None:
    """No control character and no change of direction in what people or terminals get."""
    for bundle in [*cards(text), *tables(text)]:
        shown = [text_of(bundle["text/html"]), str(bundle["text/plain"])]
        said = json.dumps(bundle.get(STEP_MIME), ensure_ascii=False)
        assert not set("".join([*shown, said])) & set("\x00\x07\x1b\x7f\x85\u2028\u202e\u2066")


def test_what_is_written_is_what_is_read() -> None:
    """Markup in a message is shown as it was typed."""
    view = a_step(phase=Phase.FAILED, error=ErrorInfo("E<b>", "<script>&amp;</script> $5"))
    assert "E<b>: <script>&amp;</script> $5" in text_of(card(view, now=NOON)["text/html"])


def test_dollars_do_not_make_a_formula() -> None:
    """No text node has what a front end takes for mathematics, outside of code."""
    page: Any = card(a_step(note="from $5 to $6, \\(x\\)"), now=NOON)["text/html"]
    assert "<span>$</span>5" in page
    assert "<span>\\</span>(x" in page
