"""Agents: named flows with parameters and results, called from steps.

Knows what an agent takes and gives, how a call becomes a run of its own and its end becomes
an answer. Does not know notebooks or magics: who declares an agent hands over its steps, and
a `Nursery` says what these find around them.
"""

from stepwell.agents._agent import (
    Agent,
    Results,
    arguments_digest,
    birth_of,
    result_of,
    set_cell_caller,
)
from stepwell.agents._checking import check_arguments, check_results
from stepwell.agents._definition import MAX_DEPTH, Definition, version_of
from stepwell.agents._nursery import Nursery, Prepared, nursery
from stepwell.agents._signature import Parameter, Signature, parse_signature

__all__ = [
    "MAX_DEPTH",
    "Agent",
    "Definition",
    "Nursery",
    "Parameter",
    "Prepared",
    "Results",
    "Signature",
    "arguments_digest",
    "birth_of",
    "check_arguments",
    "check_results",
    "nursery",
    "parse_signature",
    "result_of",
    "set_cell_caller",
    "version_of",
]
