"""What the running step can know of itself."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, cast

from stepwell.inside._current import Inside, here

if TYPE_CHECKING:
    import duckdb

__all__ = ["Current", "current"]


@dataclass(frozen=True, slots=True)
class Current:
    """The attempt that is running here. See `stepwell.current`."""

    _inside: Inside

    @property
    def run(self) -> str:
        """The run's id."""
        return self._inside.attempt.id.run

    @property
    def step(self) -> str:
        """The step's name."""
        return self._inside.attempt.id.step

    @property
    def item(self) -> str:
        """The element's key in a mapped step; empty in any other."""
        return self._inside.attempt.id.item

    @property
    def attempt(self) -> int:
        """Number of this attempt, from 1, as the step's card counts them."""
        return self._inside.attempt.id.attempt

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt at this piece of work, and for no other work.

        Inside a durable call it is the call's own.

        Give it to services that take one: what an attempt that was cut off has done already
        is then not done a second time.
        """
        key, path = self._inside.attempt.key, self._inside.path
        return blake2b(f"{key}\0{path}".encode(), digest_size=16).hexdigest() if path else key

    @property
    def heartbeat(self) -> object:
        """What the last heartbeat of an earlier attempt at this work said; None if none did."""
        kept = self._inside.attempt.heartbeat
        return self._inside.values.load(kept.digest) if kept is not None else None

    @property
    def db(self) -> "duckdb.DuckDBPyConnection":
        """Tables of your own in the notebook's store, written together with this step's result.

        Used as a DuckDB connection: `execute`, `sql`, `append` and so on; `%stepwell sql` reads
        the tables. Either the step is done and all of it is there, or neither; what was written
        is read back here at once, and seen by nobody else before. A statement that fails undoes
        all of the attempt's. In a mapped step each element has its own transaction.
        """
        return cast("duckdb.DuckDBPyConnection", self._inside.transaction.tables())

    def __repr__(self) -> str:
        item = f"[{self.item}]" if self.item else ""
        return f"<attempt {self.attempt} at {self.step}{item} of run {self.run}>"


def current() -> Current:
    """The attempt that is running here: its run, step, item, number and idempotency key.

    Known in a step's code and in functions, tasks and threads that it starts. Raises
    `InvalidUsage` anywhere else.
    """
    return Current(here("stepwell.current()"))
