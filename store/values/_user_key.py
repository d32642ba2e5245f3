"""What belongs to the user rather than to a store: the signing key, the stores they trust.

Both lie in Jupyter's data directory, beside the secret that Jupyter signs notebooks with. The
environment variable `STEPWELL_SECRET_FILE` names another file; the list lies beside it.
"""

import json
import os
import secrets
from pathlib import Path

from stepwell.errors import InvalidUsage, UnsupportedEnvironment

__all__ = ["key_file", "trust", "trusted_stores", "user_key"]

SECRET_FILE_VARIABLE = "STEPWELL_SECRET_FILE"
_KEY_BYTES = 32


def key_file() -> Path:
    """Where the user's key is, or will be."""
    chosen = os.environ.get(SECRET_FILE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "stepwell_secret"


def user_key() -> bytes:
    """The user's key, made on first use. Two processes that make it at once get the same."""
    path = key_file()
    try:
        if not path.exists():
            _create(path, secrets.token_hex(_KEY_BYTES) + "\n")
        _keep_private(path)
        key = bytes.fromhex(path.read_text("ascii").strip())
    except OSError as error:
        raise UnsupportedEnvironment(
            f"the key that signs stored values cannot be kept in {path}: {error.strerror}. "
            f"Make the folder writable, or name another file in {SECRET_FILE_VARIABLE}"
        ) from error
    except ValueError as error:
        raise _damaged(path) from error
    if len(key) < _KEY_BYTES:
        raise _damaged(path)
    return key


def _keep_private(path: Path) -> None:
    # A key that came back from a backup may have come back open to everybody.
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)


def _damaged(path: Path) -> UnsupportedEnvironment:
    return UnsupportedEnvironment(
        f"{path} is not a key stepwell wrote. Put the right file back, or delete it for a new "
        "key: values signed with the old one then count as somebody else's"
    )


def trusted_stores() -> frozenset[str]:
    """Ids of the stores whose signatures need not be this user's."""
    path = _trusted_file()
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return frozenset()
    except ValueError as error:
        raise UnsupportedEnvironment(
            f"{path} is damaged: {error}. Delete it and trust the stores again"
        ) from error
    return frozenset(str(store) for store in found)


def trust(store_id: str) -> None:
    """Load pickled values of this store from now on, whoever signed them.

    A pickle can run anything when it is loaded: trust stores of people you would take code from.
    """
    if not store_id:
        raise InvalidUsage("trust which store? Give its id")
    # Two processes may trust two stores at once: read and written under one lock.
    path = _trusted_file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _Lock(path.with_suffix(".lock")):
        stores = sorted(trusted_stores() | {store_id})
        _replace(path, json.dumps(stores, indent=1) + "\n")


def _trusted_file() -> Path:
    return key_file().with_name("stepwell_trusted.json")


class _Lock:
    """An advisory lock on a file of its own, released by the system if the process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        import fcntl

        self._handle = self._path.open("a")
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._handle.close()


def _create(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    ready = _written_beside(path, text)
    try:
        # A link is made whole or not at all, and never over a key that is already there.
        path.hardlink_to(ready)
    except FileExistsError:
        pass
    except OSError:
        # A file system without links: the last of two writers wins, and both read its key.
        if not path.exists():
            ready.replace(path)
    finally:
        ready.unlink(missing_ok=True)


def _replace(path: Path, text: str) -> None:
    _written_beside(path, text).replace(path)


def _written_beside(path: Path, text: str) -> Path:
    ready = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(ready, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return ready
