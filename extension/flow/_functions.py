"""The source of one function, class or lambda: what it uses, and its digest."""

import ast
import re
from collections.abc import Iterator
from keyword import iskeyword

from stepwell.errors import InvalidStep
from stepwell.flow._code import digest_of, parse, tree_digest
from stepwell.flow._names import BUILTINS, is_dunder
from stepwell.flow._statements import Walk

__all__ = ["source_digest", "uses"]

_LAMBDA = re.compile(r"\blambda\b")
_LAMBDA_END = re.compile(r"[,)\]};]|$")
_NAME = re.compile(r"(?<![\w.])[^\W\d]\w*")


def uses(source: str, *, decorators: bool = True) -> tuple[str, ...]:
    """The global names a function's or class's source reads, in order, builtins left out.

    Its own name is not among them. `source` is as `inspect.getsource` gives it: indented
    or not, and for a lambda the line it stands on; of several lambdas on that line no one
    can tell which is meant, so what any of them reads counts. Without `decorators` those
    of the function or class itself do not count.
    """
    tree = _tree(source, decorators=decorators)
    if tree is None:
        found: Iterator[str] = iter(_NAME.findall(source))
    else:
        walk = Walk()
        walk.run(tree)
        reads = walk.ledger.reads
        found = iter(sorted(reads, key=lambda name: reads[name].order))
    return tuple(name for name in dict.fromkeys(found) if _counts(name))


def source_digest(source: str, *, decorators: bool = True) -> str:
    """What a function's or class's source means; see `code_digest` for what does not count.

    Never fails: source that is not Python by itself is digested as text.
    """
    tree = _tree(source, decorators=decorators)
    if tree is None:
        return digest_of("text", *(line.strip() for line in source.strip().splitlines()))
    return tree_digest(tree)


def _counts(name: str) -> bool:
    return not (name in BUILTINS or is_dunder(name) or iskeyword(name))


def _tree(source: str, *, decorators: bool) -> ast.Module | None:
    tree = _parsed(source) or _lambdas(source)
    if tree is not None and not decorators:
        for statement in tree.body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                statement.decorator_list = []
    return tree


def _parsed(source: str) -> ast.Module | None:
    # An indented definition becomes the body of an `if`: to dedent it would change the
    # strings that span lines.
    is_indented = source[:1] in (" ", "\t")
    try:
        tree = parse(f"if 1:\n{source}" if is_indented else source)
    except InvalidStep:
        return None
    match tree.body:
        case [ast.If(body=body)] if is_indented:
            return ast.Module(body=body, type_ignores=[])
        case _:
            return tree


def _lambdas(source: str) -> ast.Module | None:
    # What `getsource` returns for a lambda among arguments is a piece of a statement.
    found: list[ast.stmt] = []
    end = 0
    for match in _LAMBDA.finditer(source):
        if match.start() < end:
            continue
        for stop in _LAMBDA_END.finditer(source, match.end()):
            text = source[match.start() : stop.start()]
            try:
                found += parse(f"({text}\n)").body
            except InvalidStep:
                continue
            end = stop.start()
            break
    return ast.Module(body=found, type_ignores=[]) if found else None
