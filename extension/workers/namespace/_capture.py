"""From names to the environment they make up, helpers' names included."""

import builtins
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MethodType

import msgspec

from stepwell.flow import Binding, Environment
from stepwell.store import Blob
from stepwell.store.values import Signer
from stepwell.workers.namespace._describe import Describer, names_of
from stepwell.workers.namespace._description import Description
from stepwell.workers.namespace._kinds import is_dunder, is_history, module_of, parts_of, wrapped_by
from stepwell.workers.namespace._recipe import alias_recipe, import_recipe, recipe_for
from stepwell.workers.namespace._secrets import secret_binding

__all__ = ["Captured", "Opaque", "Scopes", "capture", "scope_of", "with_names_of"]

MOST_NAMES = 5_000

Scopes = Mapping[str, Mapping[str, object]]

_NO_SCOPES: Scopes = {}

_SHELL_NAMES = frozenset({"In", "Out", "exit", "quit", "get_ipython", "display", "open"})


@dataclass(frozen=True, slots=True)
class Opaque:
    """Something whose changes cannot be seen. As text, its type."""

    type: str
    reason: str = ""
    """Why it cannot be brought back either; empty if it can."""

    def __str__(self) -> str:
        return self.type


@dataclass(slots=True)
class Captured:
    """What a step finds around it, as it was at one moment."""

    bindings: Environment = field(default_factory=dict[str, Binding])
    """By name. What helpers from the user's modules read is under `module.name`."""
    inputs_via_helpers: dict[str, str] = field(default_factory=dict[str, str])
    """Names that steps write and helpers read, each with a helper that reads it."""
    missing: list[str] = field(default_factory=list[str])
    """Names asked for that nobody has."""
    missing_in_helpers: dict[str, str] = field(default_factory=dict[str, str])
    """Names that helpers read and nobody has, each with a helper: perhaps never reached."""
    blobs: dict[str, Blob] = field(default_factory=dict[str, Blob])
    """What `restore` needs, for the names that can be brought back."""
    opaque: dict[str, Opaque] = field(default_factory=dict[str, Opaque])
    objects: dict[str, object] = field(default_factory=dict[str, object])
    """The notebook's objects themselves, by name."""
    plan: object = field(default=None, repr=False, compare=False)
    """What `build` has worked out; its own affair."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    key: str
    reader: str = ""
    """The helper that reads it; empty if the step itself does."""
    at_run: bool = True


def capture(
    names: Iterable[str],
    namespace: Mapping[str, object],
    *,
    is_input: Callable[[str], bool],
    signer: Signer | None = None,
    own: Scopes = _NO_SCOPES,
) -> Captured:
    """The environment of code that reads these names, followed through notebook functions.

    `is_input` says which names steps write: those are left out and not followed. `signer`
    signs what is kept by pickle; without one it comes back only from a trusted store.
    `own` are values that are in no module, by what precedes the last dot of their keys.
    Nothing is imported and no user code runs, save what pickling an opaque object calls.
    """
    captured = Captured()
    describer = Describer(namespace, signer)
    pending = deque(_Wanted(name) for name in names)
    seen: set[tuple[str, bool]] = set()
    while pending:
        wanted = pending.popleft()
        module, _, name = wanted.key.rpartition(".")
        if not module and is_input(name):
            if wanted.reader and wanted.at_run:
                captured.inputs_via_helpers.setdefault(name, wanted.reader)
            continue
        if (wanted.key, wanted.at_run) in seen or len(seen) > MOST_NAMES:
            continue
        seen.add((wanted.key, wanted.at_run))
        if wanted.key in captured.bindings:
            continue
        scope = scope_of(wanted.key, namespace, own)
        if name not in scope:
            _note_missing(captured, wanted, is_notebook=not module)
            continue
        value = scope[name]
        if not module:
            captured.objects[name] = value
        if is_dunder(name) or _is_left_out(name, value):
            _keep_import(captured, wanted.key, value)
            continue
        secret = secret_binding(wanted.key, value, signer)
        if secret is not None:
            captured.bindings[wanted.key] = secret
            continue
        found = describer.describe(value)
        _keep(captured, wanted.key, value, found, describer)
        pending += (_Wanted(key, wanted.key) for key in found.uses)
        pending += (_Wanted(key, wanted.key, at_run=False) for key in found.needs)
        if not module and (first := describer.key(value)) is not None:
            pending.append(_Wanted(first, wanted.key, at_run=False))
    _keep_known_uses(captured, is_input)
    return captured


def with_names_of(other: Captured | None, captured: Captured) -> Captured:
    """The environment, with what `other` of the same digest has besides.

    Some names are no part of what a result depends on, and needed all the same: `stepwell`
    itself, what the shell provides. One of two equal environments may lack them.
    """
    if other is None or other.objects.keys() <= captured.objects.keys():
        return captured
    return replace(
        captured,
        blobs={**other.blobs, **captured.blobs},
        opaque={**other.opaque, **captured.opaque},
        objects={**other.objects, **captured.objects},
        plan=None,
    )


def _keep_known_uses(captured: Captured, is_input: Callable[[str], bool]) -> None:
    """A binding's `uses` are names that are bound as well, or inputs."""
    bindings = captured.bindings
    for key, binding in bindings.items():
        known = tuple(name for name in binding.uses if name in bindings or is_input(name))
        if len(known) != len(binding.uses):
            bindings[key] = msgspec.structs.replace(binding, uses=known)


def scope_of(key: str, namespace: Mapping[str, object], own: Scopes) -> Mapping[str, object]:
    """Where the last part of a key is looked up."""
    module, _, name = key.rpartition(".")
    if not module:
        return namespace
    mine = own.get(module)
    return mine if mine is not None and name in mine else names_of(module)


def _note_missing(captured: Captured, wanted: _Wanted, *, is_notebook: bool) -> None:
    if not is_notebook or not wanted.at_run or hasattr(builtins, wanted.key):
        return
    if is_dunder(wanted.key) or wanted.key in ("display", "get_ipython"):
        return
    if wanted.reader:
        captured.missing_in_helpers.setdefault(wanted.key, wanted.reader)
    else:
        captured.missing.append(wanted.key)


def _is_left_out(name: str, value: object) -> bool:
    if is_history(name) or (name in ("In", "Out") and isinstance(value, list | dict)):
        return True
    module = module_of(value.__self__) if isinstance(value, MethodType) else module_of(value)
    root = (module or "").partition(".")[0]
    if name in _SHELL_NAMES:
        return root in ("IPython", "ipykernel", "stepwell") or name == "get_ipython"
    return root == "stepwell" and wrapped_by(value) is None and parts_of(value) is None


def _keep(
    captured: Captured, key: str, value: object, found: Description, describer: Describer
) -> None:
    captured.bindings[key] = Binding(found.kind, found.digest, found.detail, found.uses)
    if "." in key:
        return
    first = describer.key(value) or key
    blob: Blob | None = alias_recipe(first)
    reason = ""
    if first == key or "." in first:
        blob, reason = recipe_for(key, value, found, describer)
    if blob is not None:
        captured.blobs[key] = blob
    if found.opaque:
        captured.opaque[key] = Opaque(found.opaque, found.reason or reason)


def _keep_import(captured: Captured, key: str, value: object) -> None:
    # `import stepwell` is no part of what a result depends on, and needed all the same.
    blob = import_recipe(value) if (module_of(value) or "").startswith("stepwell") else None
    if blob is not None and "." not in key:
        captured.blobs[key] = blob
