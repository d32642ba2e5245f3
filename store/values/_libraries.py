"""The libraries whose arrays and tables are known, loaded when a value brings them along."""

from importlib import import_module
from typing import Any

__all__ = ["LIBRARIES", "library", "library_of"]

LIBRARIES = frozenset({"numpy", "pandas", "polars", "pyarrow"})


def library(name: str) -> Any:
    """The module, loaded. Untyped: not all of them say what they hold."""
    return import_module(name)


def library_of(kind: type) -> str:
    """The top-level package a class comes from."""
    return str(kind.__module__).partition(".")[0]
