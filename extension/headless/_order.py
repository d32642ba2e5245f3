"""What to execute, and how: checked before anything is started."""

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from stepwell.errors import InvalidUsage

__all__ = ["Order", "order"]

_MODES = ("", "fresh", "resume")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One execution of one notebook, as wanted. All paths are absolute."""

    notebook: Path
    output: Path
    store: Path
    parameters: Mapping[str, Any]
    mode: str
    """`fresh`, `resume`, or "" for what the store suggests."""
    timeout: float | None
    """Seconds for everything together."""
    kernel: str
    record: Path | None = None
    """Where calls are to be recorded."""
    replay: Path | None = None
    """Where calls are to be answered from."""


def order(
    notebook: str | PathLike[str],
    *,
    output: str | PathLike[str] | None,
    store: str | PathLike[str] | None,
    parameters: Mapping[str, Any] | None,
    mode: str,
    timeout: float | None,
    kernel: str | None,
    record: str | PathLike[str] | None = None,
    replay: str | PathLike[str] | None = None,
) -> Order:
    """Fill in what was not said. Raises InvalidUsage for what cannot be meant."""
    source = Path(notebook).absolute()
    wanted = Order(
        notebook=source,
        output=Path(output).absolute() if output else _beside(source),
        store=Path(store).absolute() if store else _store_of(source),
        parameters=parameters or {},
        # What is stored would be answered from there, and not from the recording.
        mode=mode or ("fresh" if replay else ""),
        timeout=timeout,
        kernel=kernel or "",
        record=Path(record).absolute() if record else None,
        replay=Path(replay).absolute() if replay else None,
    )
    _check(wanted)
    return wanted


def _beside(notebook: Path) -> Path:
    return notebook.with_name(f"{notebook.stem}.executed.ipynb")


def _store_of(notebook: Path) -> Path:
    return notebook.parent / ".stepwell" / f"{notebook.stem}.duckdb"


def _check(wanted: Order) -> None:
    if wanted.mode not in _MODES:
        raise InvalidUsage(f"mode is 'fresh', 'resume' or '', not {wanted.mode!r}")
    if wanted.timeout is not None and not wanted.timeout > 0:
        raise InvalidUsage(f"the timeout must be more than 0 seconds, not {wanted.timeout:g}")
    if wanted.record is not None and wanted.replay is not None:
        raise InvalidUsage("--record writes a recording and --replay answers from one; choose")
    if wanted.replay is not None and not wanted.replay.is_file():
        raise InvalidUsage(
            f"there is no recording at {wanted.replay}. Make one: "
            f"stepwell run {wanted.notebook.name} --record {wanted.replay.name}"
        )
    if wanted.output.is_dir():
        raise InvalidUsage(f"the output {wanted.output} is a folder; name a file")
    if wanted.mode == "resume" and wanted.notebook.is_file() and not wanted.store.exists():
        raise InvalidUsage(
            f"there is nothing to resume: {wanted.store} does not exist. "
            "Run without --resume, or say where the store is with --store"
        )
