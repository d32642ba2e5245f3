"""What is to be done about questions and messages. Part of `decide`."""

from collections.abc import Iterator

from stepwell.orchestrator._commands import Deliver, FollowUp, Void
from stepwell.orchestrator._state import State

__all__ = ["from_waits"]


def from_waits(state: State) -> Iterator[Deliver | FollowUp | Void]:
    """Questions that are answered already or by nobody any more, and messages to be given out."""
    for approval, why in state.withdrawn.items():
        yield Void(approval, why)
    for approval in state.foregone:
        if approval not in state.withdrawn:
            yield FollowUp(approval)
    if state.messages and state.receivers:
        for topic, waiting in state.receivers.items():
            found = state.messages.get(topic, ())
            # In order: the oldest message to who has waited longest.
            for message, (step, item, call) in zip(found, waiting, strict=False):
                yield Deliver(step, item, call, message.id)
