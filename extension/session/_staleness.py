"""Which results no longer match what they were made from, as far as the run itself can tell.

Code and inputs are looked at; what the notebook has around its steps is not, since that
takes the main thread (`reports.reasons` does it). Used on the orchestrator's thread; `why`
may be asked on any.
"""

from collections import deque
from collections.abc import Iterable

from stepwell.flow import Change, ChangeKind, Fingerprint, Step, changes
from stepwell.orchestrator import (
    Checkpoint,
    Phase,
    State,
    current_inputs,
    has_enough,
    phase_of,
)

__all__ = ["Staleness", "changes_within", "too_few"]


class Staleness:
    """Kept up to date by what happens: each look goes as far down as something changes."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[Change, ...]] = {}
        self._above: dict[str, tuple[str, ...]] = {}
        self._run = ""

    def why(self, name: str) -> tuple[str, ...]:
        """A line for each reason; empty for a result that matches."""
        own = tuple(change.summary for change in self._found.get(name, ()))
        above = self._above.get(name, ())
        return own + tuple(f"step {it!r}, which it reads from, is stale" for it in above)

    def diff(self, name: str) -> str:
        """Unified diff of the code, where that is a reason."""
        return "\n".join(change.diff for change in self._found.get(name, ()) if change.diff)

    def look(self, state: State, names: Iterable[str]) -> set[str]:
        """These steps may have changed: the steps of which something else is to be said now."""
        if state.run != self._run:
            self._run, self._found, self._above = state.run, {}, {}
        pending, differing = deque(names), set[str]()
        while pending:
            name = pending.popleft()
            if name not in state.flow:
                self._found.pop(name, None)
                self._above.pop(name, None)
                continue
            is_other = self._look_at(state, name)
            if is_other:
                differing.add(name)
            pending.extend(
                reader
                for reader in state.flow.downstream(name)
                if reader not in pending and self._is_concerned(state, reader, is_other=is_other)
            )
        return differing

    def _is_concerned(self, state: State, reader: str, *, is_other: bool) -> bool:
        if is_other:
            return True
        # Its input may differ although of the step itself nothing else is to be said.
        step = state.steps.get(reader)
        return step is not None and changes_within(state, reader) != self._found.get(reader, ())

    def _look_at(self, state: State, name: str) -> bool:
        """Whether it is to be said otherwise from now on."""
        before = self._found.pop(name, ()), self._above.pop(name, ())
        found = changes_within(state, name)
        above: tuple[str, ...] = ()
        if name in state.steps and phase_of(state.steps[name]) is Phase.COMPLETED:
            above = tuple(it for it in state.flow.upstream(name) if self._is_stale(it))
        if found:
            self._found[name] = found
        if above:
            self._above[name] = above
        return (found, above) != before

    def _is_stale(self, name: str) -> bool:
        return name in self._found or name in self._above


def too_few(result: Checkpoint, definition: Step) -> tuple[Change, ...]:
    """Whether a mapped step was content with fewer of its items than it is to be now."""
    over = definition.map
    if over is None or has_enough(result.share, definition):
        return ()
    wanted = over.min_success if over.keep_going else 1.0
    said = f"only {result.share:.0%} of its items were done, and {wanted:.0%} are to be"
    return (Change(ChangeKind.ITEMS, "", said),)


def changes_within(state: State, name: str) -> tuple[Change, ...]:
    """Why the step's result no longer matches its code and inputs; its environment not asked."""
    step, definition = state.steps.get(name), state.flow[name]
    checkpoint = step.checkpoint if step is not None else None
    if step is None or checkpoint is None or phase_of(step) is not Phase.COMPLETED:
        return ()
    inputs = current_inputs(state, definition)
    if checkpoint.code == definition.digest and checkpoint.inputs == inputs:
        return too_few(checkpoint, definition)
    writers = {read: it.name for read in inputs if (it := state.flow.writer_of(read))}
    return too_few(checkpoint, definition) + changes(
        Fingerprint(checkpoint.code, checkpoint.inputs, {}),
        Fingerprint(definition.digest, inputs, {}),
        source_before=state.sources.get(checkpoint.code, ""),
        source_after=definition.source,
        writers=writers,
    )
