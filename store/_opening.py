"""From a path to an attached file: folder, permissions, and what DuckDB may refuse."""

from pathlib import Path

from stepwell.errors import (
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreReadOnly,
    StoreVersionMismatch,
)
from stepwell.store._instance import Instance
from stepwell.store._salvage import inspect, quarantine

__all__ = ["network_notes", "open_file", "prepare_folder"]

_NETWORK = {
    "9p", "afs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs",
    "nfs4", "smb3", "smbfs", "vboxsf", "virtiofs",
}  # fmt: skip


def prepare_folder(path: Path, *, create: bool) -> None:
    """Make sure a store can be at this path. Raises `StoreError` or `StoreReadOnly`."""
    if path.is_dir():
        raise StoreError(f"{path} is a folder. Name a file in it", path=str(path))
    if not path.exists() and not create:
        raise StoreError(
            f"there is no store at {path}. A run makes one; or give another path", path=str(path)
        )
    try:
        # The values in it are the user's alone; a folder that was there keeps its own mode.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreReadOnly(
            f"the folder {path.parent} cannot be made: {error.strerror}. Choose another place "
            "with %stepwell store PATH",
            path=str(path),
        ) from error


def open_file(path: Path) -> tuple[Instance, tuple[str, ...]]:
    """Attach the file, saving what can be saved of a damaged write-ahead log.

    Answers the instance and what there is to tell a person. Raises the `StoreError` that
    says why the file cannot be opened.
    """
    import duckdb

    notes = inspect(path)
    while True:
        try:
            instance = Instance(path)
            path.chmod(0o600)
            return instance, notes
        except duckdb.Error as error:
            known = _refusal(path, error)
            if known is not None:
                raise known from error
            # Raises when nothing can be done, so this loop ends: each round moves one file.
            notes = (*notes, quarantine(path, error))


def _refusal(path: Path, error: Exception) -> StoreError | None:
    """The error for what DuckDB says, unless it is about the write-ahead log."""
    said = str(error)
    for sign, kind, meaning in _REFUSALS:
        if sign in said:
            return kind(f"{path} {meaning} ({said.splitlines()[0]})", path=str(path))
    return None


_REFUSALS: tuple[tuple[str, type[StoreError], str], ...] = (
    (
        "not a valid DuckDB database file",
        StoreError,
        "is not a stepwell store. It was not touched; give another path.",
    ),
    (
        "Conflicting lock",
        StoreLocked,
        "is open in another process, through DuckDB itself. Close it there, or work on another "
        "file with %stepwell store PATH.",
    ),
    (
        "Unique file handle conflict",
        StoreLocked,
        "is open in this process, through DuckDB itself. Close that connection first.",
    ),
    (
        "No space left",
        StoreFull,
        "cannot be opened because the disk is full. Free some space and try again.",
    ),
    (
        "Permission denied",
        StoreReadOnly,
        "cannot be written. Make it writable for you, or choose another place with "
        "%stepwell store PATH.",
    ),
    (
        "Read-only file system",
        StoreReadOnly,
        "is on a read-only file system. Choose another place with %stepwell store PATH.",
    ),
    (
        "Trying to read a database file with version number",
        StoreVersionMismatch,
        "was written by a newer DuckDB. Upgrade duckdb.",
    ),
    (
        "Corrupt database file",
        StoreCorrupt,
        "is damaged. Nothing was changed; bring it back from a backup, or move it away to start "
        "a new store.",
    ),
)


def network_notes(path: Path, mounts: Path = Path("/proc/self/mounts")) -> tuple[str, ...]:
    """A warning if the file is on a network file system, as far as this system tells."""
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return ()
    kinds = {Path(at.replace("\\040", " ")): kind for _, at, kind, *_ in map(str.split, lines)}
    kind = next((kinds[folder] for folder in path.parents if folder in kinds), "")
    if kind not in _NETWORK:
        return ()
    return (
        f"{path.name} is on a network file system ({kind}). Locks and syncs cannot be relied on "
        "there: a crash may cost records that were acknowledged. Keep the store on a local disk "
        "with %stepwell store PATH.",
    )
