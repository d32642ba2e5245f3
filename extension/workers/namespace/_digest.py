"""One digest over parts, and the digest of compiled code."""

from hashlib import blake2b
from types import CodeType
from typing import Any

from stepwell.workers.namespace._kinds import kind_of

__all__ = ["code_object_digest", "combined"]

# Raised whenever the same code would get another digest.
_SCHEME = "code-object-1"


def combined(*parts: str) -> str:
    """BLAKE2b, 128 bits, over parts whose borders count: 32 hexadecimal characters."""
    state = blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        state.update(b"%d:" % len(data))
        state.update(data)
    return state.hexdigest()


def code_object_digest(code: CodeType) -> str:
    """What compiled code does, for code whose source cannot be found.

    Its name, file, line numbers and addresses do not count. Unlike a digest of source it
    holds for one minor version of Python only.
    """
    return combined(_SCHEME, *_parts(code))


def _parts(code: CodeType) -> list[str]:
    return [
        code.co_code.hex(),
        code.co_exceptiontable.hex(),
        str(code.co_flags),
        f"{code.co_argcount}/{code.co_posonlyargcount}/{code.co_kwonlyargcount}",
        *(f"name:{name}" for name in code.co_names),
        *(f"variable:{name}" for name in code.co_varnames),
        *(f"free:{name}" for name in code.co_freevars),
        *(f"cell:{name}" for name in code.co_cellvars),
        *map(_constant, code.co_consts),
    ]


def _constant(value: Any) -> str:
    kind = kind_of(value)
    if kind is CodeType:
        return f"code:{combined(*_parts(value))}"
    if kind is frozenset:
        # Sorted, for the order of a set is another in every process.
        return f"frozenset:{sorted(map(_constant, value))}"
    if kind is tuple:
        return f"tuple:{[_constant(item) for item in value]}"
    return f"{kind.__name__}:{value!r}"
