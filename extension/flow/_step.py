"""A step as it is written down: what it is called, what it runs, what it reads and writes."""

from typing import Literal, NewType

import msgspec

__all__ = ["Step", "StepName"]

StepName = NewType("StepName", str)


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One unit of checkpointing. Immutable; an edited cell is another `Step` of the same name."""

    name: str
    source: str
    """The cell as typed, or the function's source: what people are shown and diffs compare."""
    code: str
    """Plain Python: `source` after IPython's own syntax was translated."""
    digest: str
    """What `code` means: equal for two layouts of the same code. See `flow.code_digest`."""
    kind: Literal["cell", "function"] = "cell"
    flow: str = ""
    """The agent it belongs to; empty for the notebook's own flow."""
    reads: tuple[str, ...] = ()
    """Names the code uses and does not make itself, in order of first use; those that the
    notebook's functions it calls use in turn come after them."""
    optional: tuple[str, ...] = ()
    """Of `reads`, those that may be missing: `$name` in the text of a shell command means
    the notebook's name if it has one, the shell's own otherwise."""
    builtins: tuple[str, ...] = ()
    """Builtins the code uses: reads after all where a step or a cell has assigned the name."""
    writes: tuple[str, ...] = ()
    """Names that become outputs."""
    after: tuple[str, ...] = ()
    """Steps to wait for although nothing of theirs is read."""
    transient: tuple[str, ...] = ()
    """Outputs that are not stored but made again on resume."""
    always: bool = False
    """Never answered from the store when asked for."""
    defer: bool = False
    """Registered, and run only when somebody asks."""
    is_async: bool = False
    module: str = ""
    """For a function: where it can be imported from; empty when it was defined in a notebook."""
    qualname: str = ""
    defaults: tuple[str, ...] = ()
    """For a function: parameters that may be missing because they have a default."""
    cell: str = ""
    """The cell's id where the front end sends one: a hint that tells a renamed step from a
    new one."""
