"""A step as it is written down: what it is called, what it runs, what it reads and writes."""

import re
from typing import Literal, NewType

import msgspec

from stepwell.flow._policies import Approve, Deadlines, MapOver, Retry

__all__ = ["Step", "StepName", "name_trouble"]

StepName = NewType("StepName", str)

MOST_CHARACTERS = 100
"""Of a step's name: it stands in every line of a run's table, and in every error."""

_NAME = re.compile(r"[^\W\d_][\w-]*")


def name_trouble(name: str) -> str:
    """Why this cannot be a step's name, in a sentence; empty if it can."""
    if len(name) > MOST_CHARACTERS:
        return f"It has {len(name):,} characters, and the limit is {MOST_CHARACTERS}."
    if not _NAME.fullmatch(name):
        return "Begin with a letter; then letters, digits, _ and -."
    return ""


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
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
    map: MapOver | None = None
    """The code runs once for each element of one of its inputs; None: once."""
    when: str = ""
    """An expression over what it reads: false means that the step is skipped."""
    even_if_skipped: bool = False
    """Run although a step it reads from was skipped; what that writes is None then."""
    retry: Retry | None = None
    deadlines: Deadlines | None = None
    approve: Approve | None = None
    """Ask a person before the code runs."""
    once: bool = False
    """An attempt of which nobody knows how it ended asks a person instead of running again."""
    on: str = ""
    """The worker it runs on; empty for the kernel."""
    limit: str = ""
    """The name of a limit that it shares with others."""
    priority: int = 0
    """Of steps that could start, those with the highest number do."""
    undo_of: str = ""
    """The step that this one undoes. It runs only when that is undone."""
    line: str = ""
    """What stands after `%%step` in the cell, as typed: a script that is made of the notebook
    has it again."""
    cell: str = ""
    """The cell's id where the front end sends one: a hint that tells a renamed step from a
    new one."""
