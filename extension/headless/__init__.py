"""Notebooks without a person: execute one in a fresh kernel and write down what came of it.

Knows kernels, cells, messages and files. Does not know how a step is run or stored: that
is the engine's, inside the kernel; from here it is seen only through the cards it shows.
"""

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TextIO

    from stepwell.headless._progress import Progress
    from stepwell.headless._result import Result

__all__ = ["parse_parameters", "progress_on", "report", "run_notebook"]


def run_notebook(
    path: str | PathLike[str],
    *,
    output: str | PathLike[str] | None = None,
    store: str | PathLike[str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    mode: str = "",
    timeout: float | None = None,
    kernel: str | None = None,
    record: str | PathLike[str] | None = None,
    replay: str | PathLike[str] | None = None,
    progress: "Progress | None" = None,
) -> "Result":
    """Execute the notebook's cells in a fresh kernel, wait for its steps, write the outcome.

    `output` is `<stem>.executed.ipynb` beside the notebook unless given; the notebook itself
    stays as it is. `mode` is "fresh" (nothing is reused), "resume" (there must be a store)
    or "". `timeout` is in seconds, for everything together. `record` is a file in which durable
    calls are recorded; with `replay` they are answered from one, in a new run.

    A notebook that fails is not an exception: the result says what happened. Raises
    InvalidUsage for what cannot be meant; nothing has been executed then.
    """
    from stepwell.headless._order import order
    from stepwell.headless._progress import Silence
    from stepwell.headless._runner import execute

    wanted = order(
        path,
        output=output,
        store=store,
        parameters=parameters,
        mode=mode,
        timeout=timeout,
        kernel=kernel,
        record=record,
        replay=replay,
    )
    return execute(wanted, progress or Silence())


def parse_parameters(settings: Iterable[str]) -> dict[str, Any]:
    """Turn NAME=VALUE words into parameters: JSON, or a Python literal, or else the text itself.

    Raises InvalidUsage for a word of another form.
    """
    from stepwell.headless._parameters import parse

    return parse(settings)


def progress_on(file: "TextIO") -> "Progress":
    """Tell it to people: a live view where the file is a terminal, otherwise lines for a log."""
    from stepwell.headless._progress import Lines

    if not file.isatty():
        return Lines(file)
    from rich.console import Console

    from stepwell.headless._live import Live

    return Live(Console(file=file, highlight=False))


def report(result: "Result", *, colours: bool = False) -> str:
    """A few lines to end with: what went wrong, if anything did, and a summary."""
    from stepwell.headless import _report

    return _report.report(result, colours=colours)
