"""The scripts and styles in `static`, put together into one of each.

They are plain ES modules that import each other, for editors and for tests. Front ends load
a widget's script from its text, where it has no neighbours to import; so the modules are
written one after the other, without their imports. Names are unique across all of them.
"""

import re
from functools import cache
from importlib.resources import files

__all__ = ["MODULES", "script", "style"]

MODULES = (
    "dom", "format", "link", "list", "pages", "layout", "graph", "scale", "bars", "timeline",
    "value", "schema", "difference", "form", "approval", "elsewhere", "items", "child", "details",
    "run_view", "stepwell",
)  # fmt: skip
"""In the order in which each needs only those before it."""

_STYLES = ("run_view", "approval")
_IMPORT = re.compile(r"^import [^;]*?;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class|let) )", re.MULTILINE)


@cache
def script() -> str:
    """One module that exports what a widget needs."""
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", _read(f"{name}.js"))) for name in MODULES)


@cache
def style() -> str:
    """The styles of everything that is drawn."""
    return "\n".join(_read(f"{name}.css") for name in _STYLES)


def _read(name: str) -> str:
    return (files("stepwell.widgets") / "static" / name).read_text("utf-8")
