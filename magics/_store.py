"""`%stepwell store …`: the words after it."""

from stepwell.errors import InvalidUsage
from stepwell.magics._duration import seconds
from stepwell.magics._options import Parsed
from stepwell.magics._port import Notebook

__all__ = ["store"]

_COMMAND = "%stepwell store"


def store(notebook: Notebook, parsed: Parsed) -> object:
    """Do what the words say. Raises `InvalidUsage`."""
    word, *rest = parsed.words or ("",)
    if parsed.has("--keep") and word != "prune":
        raise InvalidUsage(f"--keep belongs to prune: {_COMMAND} prune --keep 10")
    if rest and word != "snapshot":
        raise InvalidUsage(f"{_COMMAND} {word} takes nothing more; leave {rest[0]} out")
    match word:
        case "vacuum":
            return notebook.vacuum()
        case "prune":
            return _prune(notebook, parsed.one("--keep"))
        case "check":
            return notebook.check()
        case "snapshot":
            if not rest:
                raise InvalidUsage(f"a snapshot needs a file: {_COMMAND} snapshot FILE")
            return notebook.snapshot(rest[0])
        case _:
            return notebook.store(word)


def _prune(notebook: Notebook, keep: str) -> object:
    if not keep:
        raise InvalidUsage(
            f"say what to keep: {_COMMAND} prune --keep 10 (runs) or --keep 30d (a duration)"
        )
    if keep.isdecimal():
        return notebook.prune(runs=int(keep))
    return notebook.prune(seconds=seconds(keep, what="--keep"))
