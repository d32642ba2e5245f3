"""What is known of a function's code or a class's definition, found out once for each."""

import weakref
from dataclasses import dataclass
from types import CodeType, FunctionType

from stepwell.flow import source_digest, uses
from stepwell.workers.namespace._class_source import class_source
from stepwell.workers.namespace._digest import code_object_digest
from stepwell.workers.namespace._source import Source, code_source, lambda_source
from stepwell.workers.namespace._uses import defined_with, global_names, methods_names

__all__ = ["CodeFacts", "class_facts", "code_facts"]


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """A definition, apart from the values it was made with."""

    digest: str
    """Of the source, or else of the compiled code; "" for a class without either."""
    detail: str
    """The source, for people."""
    source: Source | None
    uses: tuple[str, ...]
    """Global names it reads when it runs."""
    needs: tuple[str, ...]
    """Further names it reads when it is defined."""
    flags: int = 0
    """The compiler's flags it was compiled with."""


# By identity: code objects that differ only in their annotations are equal, and what two
# classes have in common is their metaclass's to say.
_of_code: dict[int, tuple[weakref.ref[CodeType], CodeFacts]] = {}
_of_class: dict[int, tuple[weakref.ref[type], tuple[int, ...], CodeFacts]] = {}


def code_facts(code: CodeType) -> CodeFacts:
    """What is known of this code."""
    known = _of_code.get(id(code))
    if known is not None:
        return known[1]
    facts = _read_code(code)
    key = id(code)
    _of_code[key] = (weakref.ref(code, lambda _: _of_code.pop(key, None)), facts)
    return facts


def _read_code(code: CodeType) -> CodeFacts:
    names = global_names(code)
    source = code_source(code)
    if source is None:
        shown = lambda_source(code) if code.co_name == "<lambda>" else ""
        digest = code_object_digest(code)
        return CodeFacts(digest, shown, None, names, (), code.co_flags)
    later = _defined_with(source, code.co_flags) - set(names)
    # What the source reads beyond the compiled code is in the text of a shell command.
    told = {*names, *later, *code.co_freevars}
    more = [name for name in uses(source.text) if name not in told]
    return CodeFacts(
        source_digest(source.text),
        source.shown,
        source,
        (*names, *more),
        tuple(sorted(later)),
        code.co_flags,
    )


def _defined_with(source: Source, flags: int) -> set[str]:
    return set(defined_with(source.shown, flags)) - {source.name}


def class_facts(kind: type) -> CodeFacts:
    """What is known of this class's definition."""
    state = _state(kind)
    key = id(kind)
    known = _of_class.get(key)
    if known is not None and known[1] == state:
        return known[2]
    facts = _read_class(kind)
    _of_class[key] = (weakref.ref(kind, lambda _: _of_class.pop(key, None)), state, facts)
    return facts


def _state(kind: type) -> tuple[int, ...]:
    # Replaced methods, and methods whose code was replaced by a reloader, show here.
    return tuple(
        id(member.__code__) if isinstance(member, FunctionType) else id(member)
        for member in list(kind.__dict__.values())
    )


def _read_class(kind: type) -> CodeFacts:
    source = class_source(kind)
    if source is None:
        return CodeFacts("", "", None, (), ())
    methods = [m.__code__ for m in kind.__dict__.values() if isinstance(m, FunctionType)]
    flags = methods[0].co_flags if methods else 0
    around = {name for code in methods for name in code.co_freevars}
    running = set(methods_names(source.shown, flags))
    later = _defined_with(source, flags) - running - around
    run = tuple(name for name in uses(source.text) if name not in later | around)
    return CodeFacts(
        source_digest(source.text), source.shown, source, run, tuple(sorted(later)), flags
    )
