"""`%agent`: declared, so that it can say what it will be."""

from typing import NoReturn

from stepwell.errors import NotYetSupported

__all__ = ["AGENT_HELP", "declare_agent"]

AGENT_HELP = """Declare an agent: a named flow with parameters and results.

    %agent NAME(param: type = default, …) -> output, …

Not in this version of stepwell yet: all steps belong to the notebook's own flow.
"""


def declare_agent() -> NoReturn:
    """Raises `NotYetSupported`."""
    raise NotYetSupported("%agent", "For now all steps belong to the notebook's own flow.")
