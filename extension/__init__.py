"""stepwell: cells become steps that survive.

    %load_ext stepwell

    %%step plan
    queries = await llm.plan(topic)

What a magic does, a function here does too: `step` makes a function a step, `run` brings
steps up to date and waits for them, `open` reads a store without a kernel. Importing this
module loads none of IPython, DuckDB or anywidget; each comes when it is needed.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import stepwell.blocking as blocking  # noqa: PLR0402 - mypy finds no part of what it reads
    from stepwell.agents import Agent
    from stepwell.api import Run, fork, notebook, run, step
    from stepwell.declaring import agent
    from stepwell.errors import RetryAfter, StepwellError, TerminalError
    from stepwell.inside import (
        Stream,
        approve,
        ask,
        call,
        cost,
        current,
        durable,
        heartbeat,
        progress,
        receive,
        sleep,
        usage,
    )
    from stepwell.people import decide, inbox, send
    from stepwell.reading import Reader, open  # noqa: A004 - stepwell.open is its name
    from stepwell.scripting import cell
    from stepwell.secrecy import secret

__all__ = [
    "Agent",
    "Reader",
    "RetryAfter",
    "Run",
    "StepwellError",
    "Stream",
    "TerminalError",
    "agent",
    "approve",
    "ask",
    "blocking",
    "call",
    "cell",
    "cost",
    "current",
    "decide",
    "durable",
    "fork",
    "heartbeat",
    "inbox",
    "load_ipython_extension",
    "notebook",
    "open",
    "progress",
    "receive",
    "run",
    "secret",
    "send",
    "sleep",
    "step",
    "unload_ipython_extension",
    "usage",
]

_HOMES = {
    "Agent": "stepwell.agents",
    "agent": "stepwell.declaring",
    "Reader": "stepwell.reading",
    "Run": "stepwell.api",
    "Stream": "stepwell.inside",
    "approve": "stepwell.inside",
    "ask": "stepwell.inside",
    "receive": "stepwell.inside",
    "sleep": "stepwell.inside",
    "decide": "stepwell.people",
    "inbox": "stepwell.people",
    "send": "stepwell.people",
    "call": "stepwell.inside",
    "cell": "stepwell.scripting",
    "cost": "stepwell.inside",
    "current": "stepwell.inside",
    "durable": "stepwell.inside",
    "heartbeat": "stepwell.inside",
    "progress": "stepwell.inside",
    "usage": "stepwell.inside",
    "fork": "stepwell.api",
    "notebook": "stepwell.api",
    "open": "stepwell.reading",
    "run": "stepwell.api",
    "secret": "stepwell.secrecy",
    "step": "stepwell.api",
    "RetryAfter": "stepwell.errors",
    "StepwellError": "stepwell.errors",
    "TerminalError": "stepwell.errors",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "blocking":
        return import_module("stepwell.blocking")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'stepwell' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: Any) -> None:
    """Called by `%load_ext stepwell`."""
    from stepwell.loading import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Called by `%unload_ext stepwell`."""
    from stepwell.loading import unload

    unload(shell)
