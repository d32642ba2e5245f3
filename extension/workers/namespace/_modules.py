"""Where code comes from: the notebook, a module of the user's own, or an installed distribution."""

import re
import sys
import sysconfig
from enum import Enum
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from stepwell.flow import source_digest
from stepwell.workers.namespace._digest import combined

__all__ = ["Origin", "module_digest", "module_version", "origin_of"]

MOST_FILES = 500


class Origin(Enum):
    """Whose code it is, which decides how it is told apart from an earlier version."""

    NOTEBOOK = "notebook"  # by source; its names are in the notebook's namespace
    OWN = "own"  # by source; its names are in its module
    INSTALLED = "installed"  # by version
    STEPWELL = "stepwell"  # never part of an environment
    DETACHED = "detached"  # made by exec, in no module: by source, its names unknown


def origin_of(module: str | None, filename: str | None = None) -> Origin:
    """Whose code the module of this name is. `filename` helps where it is not loaded."""
    match (module or "").partition(".")[0]:
        case "":
            return Origin.DETACHED
        case "__main__":
            return Origin.NOTEBOOK
        case "stepwell":
            return Origin.STEPWELL
        case root if root in sys.stdlib_module_names:
            return Origin.INSTALLED
        case _:
            return _of_loaded(sys.modules.get(module or ""), filename)


def _of_loaded(module: ModuleType | None, filename: str | None) -> Origin:
    folders = [str(path) for path in getattr(module, "__path__", ())]
    file = getattr(module, "__file__", None) or filename or next(iter(folders), None)
    if file is not None:
        return _of_file(file)
    return Origin.DETACHED if module is None else Origin.INSTALLED


@lru_cache(4096)
def _of_file(file: str) -> Origin:
    parts = Path(file).parts
    if "site-packages" in parts or "dist-packages" in parts or file.startswith("<"):
        return Origin.INSTALLED
    library = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    return Origin.INSTALLED if file.startswith(library) else Origin.OWN


@lru_cache(4096)
def module_version(module: str) -> str:
    """The version of what a module belongs to; "" where nobody has said."""
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names:
        return f"{sys.version_info.major}.{sys.version_info.minor}"
    from importlib.metadata import PackageNotFoundError, version

    # Most modules are called like their distribution; asking which distribution has a
    # module means to read the file lists of all of them.
    try:
        return version(root)
    except PackageNotFoundError:
        pass
    versions = {name: version(name) for name in _distributions().get(root, ())}
    # A namespace package belongs to many; the one that is called like the module counts.
    dotted = _normal(module)
    near = [name for name in versions if dotted.startswith(_normal(name))]
    if near:
        return versions[max(near, key=len)]
    if versions:
        return ", ".join(sorted(set(versions.values())))
    return str(getattr(sys.modules.get(root), "__version__", ""))


@lru_cache(1)
def _distributions() -> dict[str, list[str]]:
    from importlib.metadata import packages_distributions

    return {name: list(found) for name, found in packages_distributions().items()}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


_known: dict[str, tuple[tuple[tuple[str, int, int], ...], str]] = {}


def module_digest(module: ModuleType) -> str:
    """The digest of a module's source; for a package, of all its Python files.

    Read again only when a file's time or size has changed. Of a package of more than 500
    files the first 500 count.
    """
    files = _files_of(module)
    state = tuple((name, path.stat().st_mtime_ns, path.stat().st_size) for name, path in files)
    known = _known.get(module.__name__)
    if known is not None and known[0] == state:
        return known[1]
    parts = [part for name, path in files for part in (name, _text_digest(path))]
    digest = combined("files", *parts)
    _known[module.__name__] = (state, digest)
    return digest


def _files_of(module: ModuleType) -> list[tuple[str, Path]]:
    folders = [Path(path) for path in getattr(module, "__path__", ())]
    if folders:
        found = [
            (path.relative_to(folder).as_posix(), path)
            for folder in folders
            for path in folder.rglob("*.py")
        ]
        return sorted(found)[:MOST_FILES]
    file = getattr(module, "__file__", None)
    path = Path(file) if file else None
    return [(path.name, path)] if path is not None and path.is_file() else []


def _text_digest(path: Path) -> str:
    data = path.read_bytes()
    if path.suffix != ".py":
        return combined(data.hex())
    return source_digest(data.decode("utf-8", "replace"))
