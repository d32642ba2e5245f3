"""Why a result is stale, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff
from enum import StrEnum

from stepwell.flow._binding import Binding, BindingKind
from stepwell.flow._fingerprint import Fingerprint, identity

__all__ = ["Change", "ChangeKind", "changes"]

_PREVIEW_LENGTH = 60

_A = {
    BindingKind.VALUE: "a value",
    BindingKind.FUNCTION: "a function",
    BindingKind.CLASS: "a class",
    BindingKind.MODULE: "a module",
    BindingKind.SECRET: "a secret",
    BindingKind.OPAQUE: "something opaque",
}


class ChangeKind(StrEnum):
    """What sort of dependency has changed."""

    CODE = "code"
    INPUT = "input"
    HELPER = "helper"  # a function or class of the notebook
    ENVIRONMENT = "environment"
    MODULE = "module"
    OPAQUE = "opaque"
    ITEMS = "items"  # fewer of them are done than are to be


_KINDS = {
    BindingKind.VALUE: ChangeKind.ENVIRONMENT,
    BindingKind.FUNCTION: ChangeKind.HELPER,
    BindingKind.CLASS: ChangeKind.HELPER,
    BindingKind.MODULE: ChangeKind.MODULE,
    BindingKind.SECRET: ChangeKind.ENVIRONMENT,
    BindingKind.OPAQUE: ChangeKind.OPAQUE,
}


@dataclass(frozen=True, slots=True)
class Change:
    """One reason why a result no longer matches."""

    kind: ChangeKind
    name: str
    """The name whose meaning has changed; empty for the step's own code."""
    summary: str
    """One line for people."""
    diff: str = ""
    """Unified diff of the source, where source is what has changed."""


def changes(
    before: Fingerprint,
    after: Fingerprint,
    *,
    source_before: str = "",
    source_after: str = "",
    writers: Mapping[str, str] | None = None,
) -> tuple[Change, ...]:
    """What has changed from `before` to `after`: empty exactly if their digests are equal.

    The step's own code comes first, then inputs, helpers, values, modules and opaque
    things, by name. `writers` says which step an input comes from.
    """
    found: list[Change] = []
    if before.code != after.code:
        diff = source_diff(source_before, source_after)
        found.append(Change(ChangeKind.CODE, "", "code of the step changed", diff))
    names = {*before.inputs, *before.environment, *after.inputs, *after.environment}
    for name in sorted(names):
        change = _change_of(name, before, after, writers or {})
        if change is not None:
            found.append(change)
    ranks = list(ChangeKind)
    return tuple(sorted(found, key=lambda change: ranks.index(change.kind)))


def source_diff(before: str, after: str) -> str:
    """Unified diff of two sources, without file names; empty if either is unknown."""
    if not before or not after:
        return ""
    lines = unified_diff(
        before.splitlines(), after.splitlines(), fromfile="stored", tofile="now", lineterm=""
    )
    return "\n".join(lines)


def _change_of(
    name: str, before: Fingerprint, after: Fingerprint, writers: Mapping[str, str]
) -> Change | None:
    was, now = _dependency(before, name), _dependency(after, name)
    origin = f" (from step {writers[name]!r})" if name in writers else ""
    summary = ""
    match was, now:
        case Binding(), Binding():
            return None if _same(was, now) else _binding_change(name, was, now)
        case str(), str():
            summary = f"input {name!r}{origin} changed" if was != now else ""
        case None, _:
            summary = f"now also reads {name!r}{origin}"
        case _, None:
            summary = f"no longer reads {name!r}"
        case Binding(), _:
            summary = f"{name!r} is now made by a step{origin}"
        case _:
            summary = f"{name!r} is no longer made by a step"
    return Change(_kind(was, now), name, summary) if summary else None


def _dependency(fingerprint: Fingerprint, name: str) -> str | Binding | None:
    # An input is known by its digest alone, everything else by its binding.
    return fingerprint.inputs.get(name, fingerprint.environment.get(name))


def _same(was: Binding, now: Binding) -> bool:
    return was.kind is now.kind and identity(was) == identity(now)


def _binding_change(name: str, was: Binding, now: Binding) -> Change:
    kind = _KINDS[now.kind]
    if was.kind is not now.kind:
        return Change(kind, name, f"{name}: was {_A[was.kind]}, is now {_A[now.kind]}")
    match now.kind:
        case BindingKind.FUNCTION:
            diff = source_diff(was.detail, now.detail)
            return Change(kind, name, f"helper function {name}() changed", diff)
        case BindingKind.CLASS:
            diff = source_diff(was.detail, now.detail)
            return Change(kind, name, f"helper class {name} changed", diff)
        case BindingKind.MODULE:
            return Change(kind, name, f"module {_from_to(was.detail, now.detail, name)}")
        case BindingKind.VALUE | BindingKind.SECRET | BindingKind.OPAQUE:
            old, new = _line(was.detail), _line(now.detail)
            shown = f"{name}: {old} → {new}" if old and new and old != new else f"{name} changed"
            return Change(kind, name, shown)


def _from_to(was: str, now: str, name: str) -> str:
    module, _, version = was.rpartition(" ")
    new_module, _, new_version = now.rpartition(" ")
    if was == now or not was or not now:
        return f"{now or name} changed"
    if module and module == new_module:
        return f"{module} {version} → {new_version}"
    return f"{was} → {now}"


def _line(preview: str) -> str:
    text = " ".join(preview.split())
    return text if len(text) <= _PREVIEW_LENGTH else text[: _PREVIEW_LENGTH - 1] + "…"


def _kind(was: str | Binding | None, now: str | Binding | None) -> ChangeKind:
    binding = was if now is None else now
    if isinstance(binding, Binding) and not isinstance(was, str):
        return _KINDS[binding.kind]
    return ChangeKind.INPUT
