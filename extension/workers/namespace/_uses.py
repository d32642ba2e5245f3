"""Which global names code reads: when it runs, and when it is defined."""

import dis
import inspect
from collections.abc import Iterator
from types import CodeType

__all__ = ["FUTURE_FLAGS", "defined_with", "global_names", "methods_names"]

_READS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
FUTURE_FLAGS = 0x1FF0000  # the `from __future__` bits of a code object's flags


def global_names(code: CodeType) -> tuple[str, ...]:
    """Names that a function, and the functions inside it, read from the globals when they run."""
    found: dict[str, None] = {}
    for inner in _nested(code):
        found |= dict.fromkeys(_reads(inner))
    return tuple(found)


def methods_names(source: str, flags: int = 0) -> tuple[str, ...]:
    """Names that the functions inside a definition read when they run."""
    found: dict[str, None] = {}
    for code in _nested(_compiled(source, flags)):
        if code.co_flags & inspect.CO_OPTIMIZED:
            found |= dict.fromkeys(_reads(code))
    return tuple(found)


def defined_with(source: str, flags: int = 0) -> tuple[str, ...]:
    """Names that executing a definition reads at once: decorators, defaults, bases, annotations."""
    found: dict[str, None] = {}
    pending = [_compiled(source, flags)]
    while pending:
        body = pending.pop(0)
        found |= dict.fromkeys(_reads(body))
        # The body of a function is optimised (its names are in slots); that of a class is not.
        pending += [
            inner
            for inner in body.co_consts
            if isinstance(inner, CodeType) and not inner.co_flags & inspect.CO_OPTIMIZED
        ]
    return tuple(found)


def _compiled(source: str, flags: int) -> CodeType:
    code: CodeType
    try:
        code = compile(source, "<definition>", "exec", flags & FUTURE_FLAGS, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        code = compile("", "<definition>", "exec", dont_inherit=True)
    return code


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _reads(code: CodeType) -> list[str]:
    reads: list[str] = []
    own: set[str] = set()
    for instruction in dis.get_instructions(code):
        if instruction.opname in _READS and instruction.argval not in own:
            reads.append(instruction.argval)
        elif instruction.opname == "STORE_NAME":
            own.add(instruction.argval)
    return reads
