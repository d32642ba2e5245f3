"""A step's namespace: found out, built, and brought back in another process.

`capture` says what code finds around it, with digests that are equal in two processes for
the same notebook, and `capture_around` what a function finds where it was defined; `build`
makes the namespace one attempt runs in; `restore` brings the names back where there is no
notebook yet; `Watch` tells which shared objects were changed.

Knows Python's objects, their source and how they refer to each other. Does not know what a
step is, why it runs, or where blobs are kept.
"""

from stepwell.workers.namespace._around import (
    Around,
    around,
    capture_around,
    carried_over,
    joined,
)
from stepwell.workers.namespace._build import build
from stepwell.workers.namespace._capture import Captured, Opaque, capture, with_names_of
from stepwell.workers.namespace._digest import code_object_digest
from stepwell.workers.namespace._narrow import has_names, narrowed
from stepwell.workers.namespace._recipe import source_of
from stepwell.workers.namespace._restore import Restored, restore
from stepwell.workers.namespace._watch import Watch

__all__ = [
    "Around",
    "Captured",
    "Opaque",
    "Restored",
    "Watch",
    "around",
    "build",
    "capture",
    "capture_around",
    "carried_over",
    "code_object_digest",
    "has_names",
    "joined",
    "narrowed",
    "restore",
    "source_of",
    "with_names_of",
]
