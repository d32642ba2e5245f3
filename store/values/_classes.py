"""Classes referred to by name, so that a value finds its own class in another process."""

import sys
from importlib import import_module

from stepwell.errors import ValueNotTrusted, ValueUnreadable
from stepwell.store.values._encoded import Resolve

__all__ = ["NOTEBOOK", "find_class", "find_in", "find_notebook_class", "reference"]

NOTEBOOK = "__main__"


def reference(kind: type, resolve: Resolve) -> str | None:
    """`module:qualname`, or None when another process would not find the class under it.

    A class of the notebook is asked of `resolve` and then looked for in `__main__`.
    """
    module, qualname = kind.__module__, kind.__qualname__
    if module == NOTEBOOK:
        found = any(find_in(names, qualname) is kind for names in (resolve, _names(NOTEBOOK)))
    else:
        # A module made by hand has no spec and cannot be imported elsewhere.
        names = _names(module)
        found = names("__spec__") is not None and find_in(names, qualname) is kind
    return f"{module}:{qualname}" if found else None


def find_class(name: str, resolve: Resolve, *, is_trusted: bool) -> type:
    """The class a reference names.

    Only a trusted reference may import a module: importing runs the module. Raises
    `ValueNotTrusted` or `ValueUnreadable`, naming the class.
    """
    module, _, qualname = name.partition(":")
    if module == NOTEBOOK:
        known = find_notebook_class(qualname, resolve)
        if known is None:
            raise ValueUnreadable(
                f"its class {qualname!r} was defined in the notebook and is not there now. "
                "Run the cell (or %%setup) that defines it, then read the value again",
                name=qualname,
            )
        return known
    found = find_in(_imported(module, qualname, is_trusted=is_trusted), qualname)
    if not isinstance(found, type):
        raise ValueUnreadable(
            f"its class {qualname!r} is no longer in module {module!r}. "
            "Install the version that has it, or run the step again",
            name=qualname,
        )
    return found


def find_notebook_class(qualname: str, resolve: Resolve) -> type | None:
    """The class of that name that `resolve` knows or, failing that, `__main__`."""
    for names in (resolve, _names(NOTEBOOK)):
        found = find_in(names, qualname)
        if isinstance(found, type):
            return found
    return None


def _imported(module: str, qualname: str, *, is_trusted: bool) -> Resolve:
    if module not in sys.modules:
        if not is_trusted:
            raise ValueNotTrusted(
                f"it needs the class {qualname!r} of module {module!r}, which is not loaded, "
                "and a store that is not trusted may not import modules",
                name=qualname,
            )
        try:
            import_module(module)
        except Exception as error:
            raise ValueUnreadable(
                f"its class {qualname!r} needs module {module!r}, which does not import here "
                f"({type(error).__name__}: {error}). Install it, or define the class "
                "in the notebook and run the step again",
                name=qualname,
            ) from error
    return _names(module)


def _names(module: str) -> Resolve:
    contents: dict[str, object] = getattr(sys.modules.get(module), "__dict__", {})
    return contents.get


def find_in(names: Resolve, qualname: str) -> object:
    """What a dotted name means among these names, or None. Runs no `__getattr__`."""
    first, *rest = qualname.split(".")
    found = names(first)
    for name in rest:
        if not isinstance(found, type):
            return None
        found = found.__dict__.get(name)
    return found
