"""What is to be done: steps, what they read and write, their order, what results depend on.

Knows source code, names and digests: `analyse` reads a cell's data flow from its code,
`Flow` puts steps in order and refuses what has none, `Fingerprint` says what a result
depends on and `changes` says in words why it no longer does.

Does not know what has run or is running, where, or with what result; no values, no
notebook, no file, no clock. Nothing here runs a line of the code it reads.
"""

from stepwell.flow._binding import Binding, BindingKind, Environment
from stepwell.flow._changes import Change, ChangeKind, changes, source_diff
from stepwell.flow._code import code_digest, syntax_tree
from stepwell.flow._conditions import conditional
from stepwell.flow._dataflow import Dataflow, analyse
from stepwell.flow._duration import seconds
from stepwell.flow._fingerprint import Fingerprint, opaque
from stepwell.flow._flow import Flow
from stepwell.flow._functions import source_digest, uses
from stepwell.flow._gating import gated
from stepwell.flow._mapping import mapped, share_of, undoing_each
from stepwell.flow._policies import Approve, Deadlines, MapOver, OnTimeout, Policies, Retry
from stepwell.flow._step import Step, StepName, name_trouble

__all__ = [
    "Approve",
    "Binding",
    "BindingKind",
    "Change",
    "ChangeKind",
    "Dataflow",
    "Deadlines",
    "Environment",
    "Fingerprint",
    "Flow",
    "MapOver",
    "OnTimeout",
    "Policies",
    "Retry",
    "Step",
    "StepName",
    "analyse",
    "changes",
    "code_digest",
    "conditional",
    "gated",
    "mapped",
    "name_trouble",
    "opaque",
    "seconds",
    "share_of",
    "source_diff",
    "source_digest",
    "syntax_tree",
    "undoing_each",
    "uses",
]
