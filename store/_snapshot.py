"""A copy of a living store that others may open."""

import os
import shutil
from pathlib import Path

from stepwell.errors import InvalidUsage
from stepwell.store._instance import Instance
from stepwell.store._sql import statement

__all__ = ["write_snapshot"]


def write_snapshot(instance: Instance, blobs: Path | None, target: Path) -> Path:
    """Copy tables, views and blob files. The target appears when it is complete."""
    if target.exists():
        raise InvalidUsage(f"{target} exists already. Give a path that is free")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    cursor = instance.new_cursor()
    try:
        cursor.execute(statement("attach_copy"), [str(partial)])
        try:
            partial.chmod(0o600)
            cursor.execute(statement("copy"))
            cursor.execute(statement("checkpoint_copy"))
        finally:
            cursor.execute(statement("detach_copy"))
        if blobs is not None and blobs.is_dir():
            _copy_files(blobs, target.with_name(target.name + ".blobs"))
        return partial.rename(target)
    finally:
        cursor.close()
        partial.unlink(missing_ok=True)


def _copy_files(source: Path, target: Path) -> None:
    # Files named by their content never change: a second name for one is a copy of it.
    for folder in sorted(source.iterdir()):
        copies = target / folder.name
        copies.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in folder.iterdir():
            copy = copies / file.name
            if file.suffix == ".partial" or copy.exists():
                continue
            try:
                copy.hardlink_to(file)
            except OSError:
                shutil.copyfile(file, copy)
                copy.chmod(0o600)
