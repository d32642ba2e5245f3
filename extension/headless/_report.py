"""What is told when an execution has ended."""

from pathlib import Path

from stepwell.headless._progress import in_seconds, plain, without_ansi
from stepwell.headless._result import Result

__all__ = ["report", "summary"]

_TRACEBACK_LINES = 20


def report(result: Result, *, colours: bool = False) -> str:
    """What went wrong, if anything did, and the summary: a few lines to end with."""
    parts: list[str] = []
    if result.failed_cell is not None:
        tail = _tail(result.failed_cell.traceback)
        parts.append(tail if colours else without_ansi(tail))
    if result.kernel_said:
        parts.append(without_ansi(result.kernel_said))
    if result.message:
        parts.append(f"stepwell: {plain(result.message, at_most=1000)}")
    return "\n".join(filter(None, [*parts, summary(result)]))


def summary(result: Result) -> str:
    """One line: what was done, what that saved, and where everything is."""
    if result.steps:
        counts = [
            f"{len(result.run)} run",
            f"{len(result.restored)} restored",
            f"{len(result.failed)} failed",
        ]
        if result.unfinished:
            counts.append(f"{len(result.unfinished)} unfinished")
        if result.restored:
            counts.append(f"saved {in_seconds(result.seconds_saved)}")
        done = f"{_plural(len(result.steps), 'step')}: {', '.join(counts)}"
    else:
        done = f"{_plural(result.cells, 'cell')} run"
    places = f"notebook {_short(result.output)}"
    if result.store.exists():
        places += f" · store {_short(result.store)}"
    return f"{done} · {in_seconds(result.seconds)} · {places}"


def _tail(traceback: str) -> str:
    lines = traceback.rstrip().splitlines()
    if len(lines) < 2:
        # No more than the error itself, which is told anyway.
        return ""
    return "\n".join(["…", *lines[-_TRACEBACK_LINES:]] if len(lines) > _TRACEBACK_LINES else lines)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)
