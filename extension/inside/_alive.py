"""What a running step says of itself: that it is alive, and how far it is."""

from stepwell.inside._current import here, inside

__all__ = ["heartbeat", "progress"]


def heartbeat(details: object = None) -> None:
    """Say that the step is alive, and what its next attempt should know.

    `details`, anything that can be stored, is given to the next attempt as
    `stepwell.current().heartbeat`, after a failure, a crash or a time-out. Only the newest
    is kept, within a second of when it was said (before an error, always). A step with
    `--stall` must call this often enough. Costs next to nothing; call it as often as you like.

    Raises `AttemptGivenUp` in an attempt that was cancelled or has taken too long: let it end
    the code. Raises `InvalidUsage` outside of steps, `ValueNotStorable` for such details.
    """
    (inside.get() or here("stepwell.heartbeat()")).beat(details)


def progress(done: float = 0.0, total: float = 0.0, text: str = "") -> None:
    """Show on the step's card how far it is: so much of so much, and a word about it.

    All three may be left out. Nothing of it is kept. Costs next to nothing; in a tight loop
    some ten a second are shown. Raises as `heartbeat` does.
    """
    (inside.get() or here("stepwell.progress()")).show(done, total, text)
