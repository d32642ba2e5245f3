"""Mapped steps, before and after their items: what there is to do, and what has come of it.

Elements are not written down: an item's value is its step's input, or part of the notebook
as it was captured, and is found there again. Any thread may call.
"""

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, Protocol, cast

from stepwell.errors import InvalidStep, UnknownName
from stepwell.flow import MapOver, Step
from stepwell.orchestrator import (
    SKIPPED,
    Attempt,
    Expanded,
    Finished,
    Gathered,
    ItemRef,
    Output,
)
from stepwell.store import Blob
from stepwell.store.values import is_immutable
from stepwell.workers._elements import elements_of, item_key, numbered
from stepwell.workers._values import Values

__all__ = ["Mapped", "Namespaces"]

_TAKEN = object()
_OVERHEAD = 300
KEPT_BYTES = 64 << 20
"""Of what a pass has made so much, as it is stored, need not be read back for the notebook."""


class Namespaces(Protocol):
    """What is needed of the notebook."""

    def namespace(
        self,
        definition: Step,
        environment: str,
        inputs: Mapping[str, object],
        without: Collection[str] = (),
    ) -> dict[str, object]:
        """A namespace of its own for one attempt, without these names of the notebook."""
        ...

    def environment_without(self, environment: str, names: Collection[str]) -> str:
        """The digest of an environment in which these names do not count."""
        ...


@dataclass(slots=True)
class _Pass:
    """The elements of one pass: objects, or digests where each is stored for itself."""

    number: int
    elements: list[object]
    are_stored: bool = False
    is_remade: bool = False
    """By an expression, evaluated once more."""
    places: dict[str, int] = field(default_factory=dict[str, int])
    """Where each element is, by its digest, for those who do not know."""
    made: dict[tuple[str, str], tuple[str, object]] = field(
        default_factory=dict[tuple[str, str], tuple[str, object]]
    )
    """What items have made, by key and output, with its digest: as far as there is room."""
    size: int = 0


class Mapped:
    """Expands mapped steps, hands out their elements, gathers what became of them."""

    def __init__(self, surroundings: Namespaces, values: Values) -> None:
        self._surroundings = surroundings
        self._values = values
        self._lock = threading.Lock()
        self._passes: dict[tuple[str, str], _Pass] = {}

    def expand(self, attempt: Attempt) -> Expanded:
        """The step's first part: which items there are. Raises what its key raises."""
        over = _over(attempt)
        if over.undoes:
            # Which there are is known: those that are done.
            return Expanded(attempt.id, [], attempt.environment)
        found, are_pairs = self._elements(attempt)
        digests = self._digests(found)
        keys = self._keys(attempt, over, found, digests, are_pairs=are_pairs)
        named = numbered(keys)
        with self._lock:
            self._passes[attempt.id.run, attempt.id.step] = found
        environment = self._surroundings.environment_without(attempt.environment, over.apart)
        return Expanded(attempt.id, list(zip(named, digests, strict=True)), environment)

    def element(self, attempt: Attempt) -> object:
        """The element an item's attempt is for; a copy of its own if it can be changed."""
        ref, at = attempt.item, (attempt.id.run, attempt.id.step)
        assert ref is not None
        if ref.is_stored:
            # Without a digest it is what a failed item has made: nothing.
            return self._values.load(ref.digest) if ref.digest else None
        index = self._place(attempt, ref) if _over(attempt).undoes else ref.index
        while True:
            with self._lock:
                known = self._passes.get(at)
                if known is not None and known.number == ref.of_pass:
                    if index >= len(known.elements):
                        raise _not_the_same(attempt, ref)
                    element = known.elements[index]
                    if known.are_stored or element is not _TAKEN:
                        if not known.are_stored and not is_immutable(element):
                            known.elements[index] = _TAKEN
                        break
            # Another attempt has had it, and may have changed it.
            made, _ = self._elements(attempt, ref.of_pass)
            made.is_remade = not _over(attempt).is_named
            made.places = known.places if known is not None else {}
            with self._lock:
                self._passes[at] = made
        if known.is_remade and self._values.digest(element) != ref.digest:
            raise _not_the_same(attempt, ref)
        return self._values.load(cast("str", element)) if known.are_stored else element

    def _place(self, attempt: Attempt, ref: ItemRef) -> int:
        """Where the element is that an item was done for which is now undone."""
        at = (attempt.id.run, attempt.id.step)
        with self._lock:
            known = self._passes.get(at)
        if known is None or known.number != ref.of_pass:
            known, _ = self._elements(attempt, ref.of_pass)
            known.places = {digest: place for place, digest in enumerate(self._digests(known))}
            with self._lock:
                self._passes[at] = known
        if (place := known.places.get(ref.digest)) is None:
            over, undone = _over(attempt), attempt.definition.undo_of
            raise InvalidStep(
                attempt.id.step,
                f"{over.source} has no longer the {over.item!r} that {undone}[{ref.key}] was done "
                f"for. Let {undone!r} write what undoing it takes, and read that here",
            )
        return place

    def gather(self, attempt: Attempt) -> Finished:
        """The step's second part: its outputs from its items'."""
        gathered = cast("Sequence[Gathered]", attempt.gathered)
        with self._lock:
            known = self._passes.pop((attempt.id.run, attempt.id.step), None)
        made = known.made if known is not None and known.number == attempt.id.attempt else {}
        outputs: dict[str, Output] = {}
        objects: dict[str, object] = {}
        blobs: list[Blob] = []
        for name in attempt.definition.writes:
            mine = [None if one.outputs is None else one.outputs[name] for one in gathered]
            objects[name] = found = [
                None if output is None else self._object(made, one.key, name, output.digest)
                for one, output in zip(gathered, mine, strict=True)
            ]
            if name in attempt.derived:
                digest = attempt.derived[name]
                outputs[name] = self._values.keep_live(attempt.id.step, name, digest, found)
                continue
            outputs[name], blob = self._values.gather(mine)
            blobs.append(blob)
        return Finished(attempt.id, outputs, blobs, objects)

    def _object(
        self, made: Mapping[tuple[str, str], tuple[str, object]], key: str, name: str, digest: str
    ) -> object:
        known = made.get((key, name))
        if known is not None and known[0] == digest:
            return known[1]
        return self._values.load(digest)

    def keep(
        self, attempt: Attempt, outputs: Mapping[str, Output], objects: Mapping[str, object]
    ) -> None:
        """An item has made these: they will be wanted when all are gathered."""
        ref, at = attempt.item, (attempt.id.run, attempt.id.step)
        assert ref is not None
        mine = self._passes.get(at)
        if mine is None or mine.number != ref.of_pass:
            if not ref.is_stored:
                return
            mine = self._stream(at, ref.of_pass)
        for name, output in outputs.items():
            # Not locked: two at once are perhaps counted as one, and it is about the size.
            mine.size += output.size + _OVERHEAD
            if mine.size <= KEPT_BYTES:
                mine.made[ref.key, name] = (output.digest, objects[name])

    def _stream(self, at: tuple[str, str], number: int) -> _Pass:
        """The pass over another step's items: there are no elements to be held."""
        with self._lock:
            known = self._passes.get(at)
            if known is None or known.number != number:
                known = self._passes[at] = _Pass(number, [])
            return known

    def inputs(self, attempt: Attempt) -> dict[str, object]:
        """What an item's code reads of other steps, and its element."""
        over = _over(attempt)
        found = dict(self._loaded(attempt, over.apart))
        if over.source:
            found[over.item] = self.element(attempt)
        return found

    def _loaded(
        self, attempt: Attempt, apart: Collection[str] = ()
    ) -> Iterator[tuple[str, object]]:
        for name, digest in attempt.inputs.items():
            if name not in apart:
                yield name, None if digest == SKIPPED else self._values.load(digest)

    def _elements(self, attempt: Attempt, number: int = 0) -> tuple[_Pass, bool]:
        over = _over(attempt)
        number = number or attempt.id.attempt
        digest = attempt.inputs.get(over.source)
        if digest is None:
            value = self._source(attempt, over)
        else:
            parts = self._values.parts(digest)
            if parts is not None and None not in parts:
                return _Pass(number, cast("list[object]", parts), are_stored=True), False
            value = self._values.load(digest)
        elements, are_pairs = elements_of(value, step=attempt.id.step, source=over.source)
        found = _Pass(number, elements)
        if isinstance(value, set | frozenset):
            # Its order differs from process to process.
            found.elements = sorted(elements, key=self._values.digest)
        return found, are_pairs

    def _source(self, attempt: Attempt, over: MapOver) -> object:
        """What the elements are taken from: something of the notebook, or made of what it reads."""
        if over.is_named:
            namespace = self._surroundings.namespace(attempt.definition, attempt.environment, {})
            if over.source not in namespace:
                raise UnknownName(attempt.id.step, over.source, "")
            return namespace[over.source]
        inputs = dict(self._loaded(attempt))
        namespace = self._surroundings.namespace(attempt.definition, attempt.environment, inputs)
        code = compile(over.source, "<map>", "eval", dont_inherit=True)
        return _evaluated(code, namespace, attempt, f"--map {over.item}={over.source}")

    def _digests(self, found: _Pass) -> list[str]:
        if found.are_stored:
            return cast("list[str]", found.elements)
        return [self._values.digest(element) for element in found.elements]

    def _keys(
        self,
        attempt: Attempt,
        over: MapOver,
        found: _Pass,
        digests: Sequence[str],
        *,
        are_pairs: bool,
    ) -> Iterable[str]:
        elements = found.elements
        if over.key:
            if found.are_stored:
                elements = [self._values.load(digest) for digest in digests]
            return self._own_keys(attempt, over, elements)
        if found.are_stored:
            return digests
        if are_pairs:
            pairs = cast("list[tuple[object, object]]", elements)
            return [self._text(key) for key, _ in pairs]
        return map(item_key, elements, digests)

    def _own_keys(
        self, attempt: Attempt, over: MapOver, elements: Iterable[object]
    ) -> Iterator[str]:
        inputs = dict(self._loaded(attempt))
        namespace = self._surroundings.namespace(attempt.definition, attempt.environment, inputs)
        code = compile(over.key, "<key>", "eval", dont_inherit=True)
        for number, element in enumerate(elements, 1):
            what = f"--key {over.key} of element {number}"
            yield self._text(_evaluated(code, {**namespace, over.item: element}, attempt, what))

    def _text(self, key: object) -> str:
        return item_key(key, self._values.digest(key))


def _evaluated(code: CodeType, namespace: dict[str, Any], attempt: Attempt, what: str) -> object:
    try:
        return eval(code, namespace)
    except Exception as error:
        reason = f"{what}: {type(error).__name__}: {error}"
        raise InvalidStep(attempt.id.step, reason) from error


def _not_the_same(attempt: Attempt, ref: ItemRef) -> InvalidStep:
    over = _over(attempt)
    return InvalidStep(
        attempt.id.step,
        f"--map {over.item}={over.source} gives another element {ref.index + 1} each time it is "
        f"evaluated. Let a cell or a step make what is to be mapped over, and name it here",
    )


def _over(attempt: Attempt) -> MapOver:
    over = attempt.definition.map
    assert over is not None
    return over
