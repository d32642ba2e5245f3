"""`%%step`: its options, and what its line says."""

from keyword import iskeyword

from stepwell.errors import InvalidUsage
from stepwell.magics._approval import APPROVE_OPTIONS
from stepwell.magics._mapping import MAP_OPTIONS
from stepwell.magics._options import Kind, Option, Parsed, Takes, describe, parse
from stepwell.magics._policies import POLICY_OPTIONS, policies
from stepwell.magics._port import StepOptions

__all__ = ["STEP_HELP", "STEP_OPTIONS", "check_body", "parse_step"]

_COMMAND = "%%step"


def _later(name: str, value: str = "", takes: Takes | None = None) -> Option:
    takes = takes or (Takes.ONE if value else Takes.NOTHING)
    return Option(name, takes, value, later=True)


STEP_OPTIONS: tuple[Option, ...] = (
    Option(
        "--in",
        Takes.LIST,
        "NAME[,NAME…]",
        "names it reads besides those its code shows, for example one that it looks up by name",
        (Kind.OUTPUT,),
    ),
    Option(
        "--out",
        Takes.LIST,
        "NAME[,NAME…]",
        "the names it writes, instead of all names that its code assigns; "
        '--out "" for a step that writes none',
        (Kind.OUTPUT,),
    ),
    Option(
        "--after",
        Takes.LIST,
        "STEP[,STEP…]",
        "wait for these steps although nothing of theirs is read",
        (Kind.STEP,),
    ),
    Option("--defer", help="register the step; it runs when you or a step that reads it ask"),
    Option("--always", help="never answer from the store: run whenever it is asked for"),
    Option(
        "--transient",
        Takes.LIST,
        "NAME[,NAME…]",
        "outputs that are not stored but made again on resume: connections, models in memory",
    ),
    Option("--agent", Takes.ONE, "NAME", "the agent it belongs to, instead of the notebook's flow"),
    *MAP_OPTIONS,
    *POLICY_OPTIONS,
    *APPROVE_OPTIONS,
    _later("--on", "WORKER"),
)

STEP_HELP = f"""Make this cell a step: run it in the background, keep what it makes.

    %%step NAME [options]
    code

The cell returns at once and shows the step's card. The step runs as soon as the steps it
reads from are done; its outputs are stored before anything goes on, and then appear in the
notebook under their names. What it reads and writes is read from the code: a name that
another step writes is waited for, and each name assigned at the top level is an output
(not: names with a leading underscore, imports, functions, classes).

Run the cell again and the stored result is used, as long as neither its code, nor its
inputs, nor the functions and constants it uses have changed. After a restart of the kernel
the same holds. If the step fails, edit its cell and run it: the same run goes on.

NAME begins with a letter; then letters, digits, _ and -.

Options:
{describe((option.usage, option.help) for option in STEP_OPTIONS if not option.later)}

Lists are written a,b or by repeating the option. `%stepwell --help` lists what can be done
with steps.
"""


def parse_step(line: str) -> StepOptions | None:
    """What the line says; None when it asks for help. Raises `InvalidUsage`."""
    parsed = parse(_COMMAND, line, STEP_OPTIONS)
    if parsed.help:
        return None
    return StepOptions(
        name=_step_name(parsed.words),
        inputs=_variables("--in", parsed),
        outputs=_variables("--out", parsed) if parsed.has("--out") else None,
        after=tuple(_checked_name(name, "--after") for name in parsed.all("--after")),
        transient=_variables("--transient", parsed),
        defer=parsed.has("--defer"),
        always=parsed.has("--always"),
        agent="".join(_variables("--agent", parsed)),
        policies=policies(parsed),
        line=line.strip(),
    )


def check_body(source: str) -> None:
    """Raises `InvalidUsage` when there is no code."""
    lines = (line.strip() for line in source.splitlines())
    if not any(line and not line.startswith("#") for line in lines):
        raise InvalidUsage("a step needs code below the %%step line")


def _step_name(words: tuple[str, ...]) -> str:
    match words:
        case ():
            raise InvalidUsage(
                "a step needs a name: %%step NAME [options]. `%%step --help` explains."
            )
        case (name,):
            return _checked_name(name, "the name")
        case _:
            names = " and ".join(map(repr, words))
            raise InvalidUsage(
                f"a step has one name; here are {names}. Join them ({'_'.join(words)}), "
                "or put the option before what belongs to it."
            )


def _checked_name(name: str, what: str) -> str:
    # Only here: loading the extension needs nothing of what makes steps.
    from stepwell.flow import name_trouble

    if trouble := name_trouble(name):
        shown = name if len(name) < 60 else f"{name[:60]}…"
        raise InvalidUsage(f"%%step: {what} {shown!r} cannot be a step's name. {trouble}")
    return name


def _variables(option: str, parsed: Parsed) -> tuple[str, ...]:
    names = parsed.all(option)
    for name in names:
        if not name.isidentifier() or iskeyword(name):
            raise InvalidUsage(
                f"%%step: {option} {name!r} is not a name as Python has them: "
                "a letter or _, then letters, digits and _."
            )
    return names
