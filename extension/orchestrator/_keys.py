"""Names for pieces of work that hold from one attempt to the next."""

from hashlib import blake2b

__all__ = ["call_name", "idempotency_key", "place_name"]


def idempotency_key(run: str, step: str, item: str, completed: int) -> str:
    """The same for every attempt until one completes: an edited cell after a failure is the
    same piece of work, a second run after success is not.
    """
    return blake2b(f"{run}\0{step}\0{item}\0{completed}".encode(), digest_size=16).hexdigest()


def place_name(step: str, item: str) -> str:
    """What people call a step, or an item of one: `pay`, `pay[Bob]`."""
    return f"{step}[{item}]" if item else step


def call_name(key: str) -> str:
    """What a call is known by: the innermost of its key, without digest and number."""
    return key.rpartition("/")[2].rpartition("#")[0].rpartition(":")[0]
