"""Which blobs are surely durable, as far as that is worth remembering."""

from stepwell.store._port import Digest

__all__ = ["Known"]


class Known:
    """The most recent digests and the records that describe them. Bounded; may forget.

    Only one thread writes (the store's writer); any may read.
    """

    def __init__(self, at_most: int = 20_000) -> None:
        self._at_most = at_most
        self._seqs: dict[Digest, int] = {}

    def learn(self, digest: Digest, seq: int) -> None:
        """Record `seq` is durable and describes this blob."""
        self._seqs.pop(digest, None)
        self._seqs[digest] = seq
        while len(self._seqs) > self._at_most:
            del self._seqs[next(iter(self._seqs))]

    def seq(self, digest: Digest) -> int | None:
        """The record that describes it; None says nothing at all."""
        return self._seqs.get(digest)
