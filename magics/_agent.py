"""`%agent`: its line. What the signature means is the notebook's affair."""

import re

from stepwell.errors import InvalidUsage

__all__ = ["AGENT_HELP", "parse_agent"]

AGENT_HELP = """Declare an agent: a named flow with parameters and results, called from steps.

    %agent NAME(param: type = default, …) -> output, … [--max-depth N]

Steps are added by `%%step STEP --agent NAME`. They read the parameters and each other's
outputs, and find around them what the notebook has; nothing of theirs runs by itself, and
what they make does not appear in the notebook. NAME becomes a name of the notebook:

    %%step survey
    reports = await asyncio.gather(*(researcher(topic=it) for it in topics))

Each call inside a step is a run of its own, as durable as the step: after a crash it goes on
where it stopped, a call that was answered is answered from the store, and an edited agent
runs again only what has changed. An agent with one output gives its value, one with several
gives them by name. Types are checked by pydantic; outputs may have one: `-> report: Report`.
An agent may call others and itself, --max-depth deep (10).

With --retries on the calling step, a run that failed in passing goes on in the next attempt. One
that is not awaited any more (asyncio.timeout, a cancelled task) is cancelled at once. While it
waits for a person, a message or a time, --timeout of the calling step stands still.

From a cell: `%stepwell run NAME param=value …`, or `await NAME(param=value)`.
"""

_DEPTH = re.compile(r"\s--max-depth(?:\s+|=)(\S+)\s*$")
_HELP = ("", "--help", "-h")


def parse_agent(line: str) -> tuple[str, int] | None:
    """The signature's text and the depth (0: not said); None when it asks for help."""
    if line.strip() in _HELP:
        return None
    found = _DEPTH.search(line)
    if found is None:
        return line.strip(), 0
    depth = found[1]
    if not depth.isdecimal() or int(depth) < 1:
        raise InvalidUsage(f"%agent: --max-depth takes a number from 1; got {depth!r}")
    return line[: found.start()].strip(), int(depth)
