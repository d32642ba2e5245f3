"""Whether a step has changed objects it shares with others."""

from collections.abc import Mapping

from stepwell.store.values import Resolve, digest_value

__all__ = ["Watch"]


def _nobody(_: str) -> None:
    return None


class Watch:
    """Remembers what objects were like, to tell afterwards which of them were changed.

    For objects that cannot be copied for each reader. Goes by their values: a change to
    something that nothing tells apart (a client, a generator) is not seen.
    """

    def __init__(self, objects: Mapping[str, object], *, resolve: Resolve = _nobody) -> None:
        self._resolve = resolve
        self._objects = dict(objects)
        self._digests = {
            name: digest_value(value, resolve=resolve) for name, value in self._objects.items()
        }

    def changed(self) -> tuple[str, ...]:
        """Names, sorted, of objects that are no longer what they were."""
        return tuple(
            sorted(
                name
                for name, digest in self._digests.items()
                if digest is not None
                and digest_value(self._objects[name], resolve=self._resolve) != digest
            )
        )
