"""Which blobs are surely durable, as far as that is worth remembering."""

from stepwell.store._port import Digest

__all__ = ["Known"]


class Known:
    """The most recent digests and the records that describe them. Bounded; may forget.

    Only one thread writes (the store's writer); any may read.
    """

    def __init__(self, at_most: int = 20_000) -> None:
        self._half = at_most // 2
        # Two generations: when the younger is full, the older is forgotten as a whole.
        # Removing single entries from the front of a dict gets slower with each one.
        self._young: dict[Digest, int] = {}
        self._old: dict[Digest, int] = {}

    def learn(self, digest: Digest, seq: int) -> None:
        """Record `seq` is durable and describes this blob."""
        self._young[digest] = seq
        if len(self._young) >= self._half:
            self._young, self._old = {}, self._young

    def seq(self, digest: Digest) -> int | None:
        """The record that describes it; None says nothing at all."""
        seq = self._young.get(digest)
        return self._old.get(digest) if seq is None else seq

    def forget_all(self) -> None:
        """The records have been numbered anew."""
        self._young, self._old = {}, {}
