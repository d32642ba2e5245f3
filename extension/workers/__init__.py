"""Where attempts run.

It knows how to make a namespace, execute code in it, and bring values to the store and
back. It does not know why a step runs, what depends on it, or who is watching.
"""

from stepwell.workers._code import compile_code, describe_error, register_source
from stepwell.workers._kernel import KernelWorker, Surroundings
from stepwell.workers._output import Recorder, Relay, recording
from stepwell.workers._pool import ThreadPool
from stepwell.workers._stream import install_streams, remove_streams
from stepwell.workers._threads import follow_threads, leave_threads
from stepwell.workers._values import Values

__all__ = [
    "KernelWorker",
    "Recorder",
    "Relay",
    "Surroundings",
    "ThreadPool",
    "Values",
    "compile_code",
    "describe_error",
    "follow_threads",
    "install_streams",
    "leave_threads",
    "recording",
    "register_source",
    "remove_streams",
]
