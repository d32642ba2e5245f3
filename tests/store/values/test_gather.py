"""Lists whose elements are stored values."""

import pytest

from stepwell.errors import ValueUnreadable
from stepwell.store.values import decode, encode, gather, gathered, is_intact

ELEMENTS: list[object] = [{"n": 1}, "text", [1, 2], {"n": 1}]


def test_elements_come_back_each_for_itself_in_order() -> None:
    """What is missing is None; equal elements are not one object."""
    blobs = {blob.digest: blob for blob in map(encode, ELEMENTS)}
    digests = [encode(element).digest for element in ELEMENTS]
    blob = gather([*digests, None])

    back = decode(blob, load=lambda digest: decode(blobs[digest]))  # type: ignore[index]

    assert back == [*ELEMENTS, None]
    assert back[0] is not back[3]
    assert gathered(blob) == [*digests, None]
    assert (blob.codec, blob.type) == ("gather", "list")


def test_equal_elements_in_equal_order_have_an_equal_digest() -> None:
    """Another order, another element, a missing one: another digest."""
    a, b = encode("a").digest, encode("b").digest
    lists: list[list[str | None]] = [[a, b], [b, a], [a], [a, None], [a, b, b], []]
    assert gather([a, b]).digest == gather([a, b], ['"a"', '"b"']).digest
    assert len({gather(each).digest for each in lists}) == len(lists)


def test_only_the_store_can_bring_the_elements_back() -> None:
    """Without it the error says so."""
    with pytest.raises(ValueUnreadable, match="only that can bring them back"):
        decode(gather([encode(1).digest]))


def test_a_damaged_list_is_noticed() -> None:
    """As any damaged value is."""
    blob = gather([encode(1).digest])
    assert is_intact(blob)
    data = blob.data or b""
    damaged = type(blob)(
        blob.digest, blob.codec, blob.type, blob.size, blob.preview, data[:-3] + b'x"]'
    )
    assert not is_intact(damaged)
    with pytest.raises(ValueUnreadable, match="damaged"):
        decode(damaged, load=lambda digest: digest)


@pytest.mark.parametrize("count", [0, 3, 20, 21, 10_000])
def test_the_preview_is_short_and_says_how_many_there_are(count: int) -> None:
    """The first elements, then their number."""
    preview = gather(["0" * 32] * count, ['"' + "x" * 40 + '"'] * min(count, 20)).preview
    assert len(preview) < 550
    assert preview.startswith("[")
    assert count <= 20 or f"{count:,} in all" in preview
