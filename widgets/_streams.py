"""Results that come in pieces, while they come: the end of each, as text."""

from collections.abc import Iterator

from stepwell.orchestrator import Phase, StepView, StreamView
from stepwell.widgets._format import plural
from stepwell.widgets._html import Markup, element, muted, prose
from stepwell.widgets._html import text as text_of
from stepwell.widgets._text import block, line

__all__ = ["ending", "stream_blocks", "stream_facts", "stream_words"]

# One may take some room, several share it: a card that grows and shrinks makes a page jump.
_ALONE = 12, 900
_SHARED = 4, 300


def stream_blocks(view: StepView) -> Iterator[Markup]:
    """What is coming, each with what makes it; nothing when the step does not run."""
    if view.phase is not Phase.RUNNING:
        return
    rows, characters = _ALONE if len(view.streams) == 1 else _SHARED
    for stream in view.streams:
        yield element("div", muted(text_of(_told(stream), 200)), style="margin:2px 0 0 0")
        if said := ending(stream, rows=rows, characters=characters):
            yield prose(said, lines=rows + 1)
    if view.more_streams:
        yield element("div", muted(f"and {view.more_streams:,} more are coming in"))


def stream_words(view: StepView) -> Iterator[str]:
    """The same for a log: a line for each."""
    if view.phase is not Phase.RUNNING:
        return
    for stream in view.streams:
        yield f"{line(_told(stream), 80)}: {line(ending(stream, rows=3, characters=80), 90)}"


def stream_facts(stream: StreamView) -> dict[str, object]:
    """One of them for programs: plain JSON."""
    return {
        "call": stream.call,
        "name": line(stream.name, 80),
        "item": line(stream.item, 80),
        "step": line(stream.step, 80),
        "text": block(stream.text, lines=40, columns=1000),
        "is_cut": stream.is_cut,
        "pieces": stream.pieces,
        "is_over": stream.is_over,
    }


def ending(stream: StreamView, *, rows: int, characters: int) -> str:
    """The last of what has come, in so many rows and characters at most; "…" where it is cut."""
    kept = stream.text.rstrip()[-characters:]
    kept = "\n".join(kept.split("\n")[-rows:])
    is_cut = stream.is_cut or len(kept) < len(stream.text.rstrip())
    return f"…{kept}" if is_cut and kept else kept


def _told(stream: StreamView) -> str:
    where = [stream.step, stream.item, stream.name]
    count = plural(stream.pieces, "piece")
    return " · ".join([*filter(None, where), f"{count} in all" if stream.is_over else count])
