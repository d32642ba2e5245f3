"""What a cell's code reads and writes."""

from dataclasses import dataclass

from stepwell.flow._code import is_coroutine, parse
from stepwell.flow._ledger import Kind, Ledger
from stepwell.flow._names import BUILTINS, is_dunder
from stepwell.flow._statements import Walk

__all__ = ["Dataflow", "analyse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataflow:
    """What a piece of code needs from outside and what it leaves behind.

    Names are in the order they first occur.
    """

    reads: tuple[str, ...] = ()
    """Names looked up where the code itself cannot have bound them, builtins left out."""
    writes: tuple[str, ...] = ()
    """Names assigned at top level that become outputs."""
    optional: tuple[str, ...] = ()
    """Of the reads, those met only in the text of a shell command or a magic (`!echo $HOME`):
    meant if a step or the notebook has them, the shell's own otherwise."""
    rebinds: tuple[str, ...] = ()
    """Names both read and written: `x = x + 1`."""
    mutates: tuple[str, ...] = ()
    """Of the reads, those whose value the code seems to change in place. A guess from the
    form of the code: `hits[0] = …`, `hits.append(…)`, `frame.drop(…, inplace=True)`."""
    globals: tuple[str, ...] = ()
    """Names that functions of the code bind by way of `global`; they count as written."""
    functions: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    """Classes and type aliases."""
    imports: tuple[str, ...] = ()
    """Names bound by an import."""
    modules: tuple[str, ...] = ()
    """Modules imported anywhere in the code, by their full names."""
    builtins: tuple[str, ...] = ()
    """Builtins looked up: reads after all where the notebook has given one a new meaning."""
    binds: tuple[str, ...] = ()
    """Every name bound at top level, temporaries and private names included."""
    is_async: bool = False
    """Whether it awaits at top level."""
    notes: tuple[str, ...] = ()
    """What the analysis could not see through, one line each: `eval()`, `%run`."""


def analyse(code: str, *, name: str = "") -> Dataflow:
    """Read from plain Python what it reads and writes; nothing is run.

    `code` has been through IPython's input transformer and may await at top level. A name
    read before any way through the code has bound it is a read. Outputs are what `=`,
    `+=`, `:=` and the like bind, except names with a leading underscore, names deleted
    again, and names that end as an import, function or class; the targets of `for`,
    `with`, `except` and `case` are temporaries.

    Raises `InvalidStep`, naming the step `name` and the line, for code that is not Python
    and for `import *`.
    """
    tree = parse(code, name=name)
    is_async = is_coroutine(tree, name=name)
    walk = Walk(name)
    walk.run(tree)
    ledger = walk.ledger
    uses = sorted(ledger.reads.items(), key=lambda item: item[1].order)
    writes = _writes(ledger)
    outside = {
        used: use
        for used, use in uses
        # In `x = !echo $x` the shell's x is meant: no step waits for itself.
        if not (used in BUILTINS or is_dunder(used) or (use.is_optional and used in writes))
    }
    return Dataflow(
        reads=tuple(outside),
        writes=writes,
        optional=tuple(used for used, use in outside.items() if use.is_optional),
        rebinds=tuple(used for used in outside if used in writes),
        mutates=tuple(used for used, use in outside.items() if use.is_mutated),
        globals=tuple(dict.fromkeys(g for body in ledger.bodies for g in body.stores)),
        functions=_last(ledger, Kind.FUNCTION),
        classes=_last(ledger, Kind.CLASS),
        imports=tuple(n for n, kinds in ledger.bindings.items() if Kind.IMPORTED in kinds),
        modules=tuple(walk.modules),
        builtins=tuple(used for used, _ in uses if used in BUILTINS),
        binds=tuple(ledger.bindings),
        is_async=is_async,
        notes=tuple(walk.notes),
    )


def _writes(ledger: Ledger) -> tuple[str, ...]:
    return tuple(
        name
        for name, kinds in ledger.bindings.items()
        if Kind.ASSIGNED in kinds
        and Kind.IMPORTED not in kinds
        and kinds[-1] not in (Kind.FUNCTION, Kind.CLASS)
        and name in ledger.state.live
        and not name.startswith("_")
    )


def _last(ledger: Ledger, kind: Kind) -> tuple[str, ...]:
    return tuple(name for name, kinds in ledger.bindings.items() if kinds[-1] is kind)
