"""How far a step has come: of its items, or by its own word."""

from stepwell.orchestrator import StepView
from stepwell.widgets._format import elapsed
from stepwell.widgets._html import Markup, element, join, muted, text

__all__ = ["progress_bar", "progress_words"]

_LEAST_SECONDS = 1.0


def progress_words(view: StepView, now: int) -> list[str]:
    """Counts of items, and the time left as far as the pace so far tells."""
    said: list[str] = []
    if (items := view.items) is not None and items.total:
        said.append(f"{items.done:,} of {items.total:,}")
        said += [f"{items.failed:,} failed"] if items.failed else []
        said += [f"{items.running:,} running"] if items.running else []
    if left := _seconds_left(view, now):
        said.append(f"{elapsed(left)} left")
    return said


def progress_bar(view: StepView) -> Markup:
    """A bar where there is an end to come to; nothing otherwise."""
    done, total = _extent(view)
    if not total:
        return Markup()
    bar = element(
        "progress",
        f"{done:g} of {total:g}",
        value=f"{done:g}",
        max=f"{total:g}",
        style="width:220px;vertical-align:middle",
    )
    failed = view.items.failed if view.items is not None else 0
    return join([bar, muted(" &nbsp; ", text(f"{failed:,} failed")) if failed else ""])


def _extent(view: StepView) -> tuple[float, float]:
    if view.items is not None:
        return view.items.done + view.items.failed, view.items.total
    if view.progress is not None:
        return min(view.progress.done, view.progress.total), view.progress.total
    return 0, 0


def _seconds_left(view: StepView, now: int) -> float:
    done, total = _extent(view)
    reused, since = 0, view.since
    if view.items is not None:
        reused, since = view.items.reused, view.items.since
    passed = (now - since) / 1e6 if since else 0.0
    if passed < _LEAST_SECONDS or done <= reused or done >= total:
        return 0.0
    return passed / (done - reused) * (total - done)
