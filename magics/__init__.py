"""What is typed: `%%step`, `%%setup`, `%agent`, `%stepwell`. Parse, delegate, print.

Knows how lines are written and what Tab offers. Does not know how steps are run, stored or
shown: it asks a `Notebook`, and returns what that answers.
"""

from stepwell.magics._agent import parse_agent
from stepwell.magics._port import Notebook, StepOptions
from stepwell.magics._register import register
from stepwell.magics._setup import remember_setup
from stepwell.magics._step import parse_step

__all__ = ["Notebook", "StepOptions", "parse_agent", "parse_step", "register", "remember_setup"]
