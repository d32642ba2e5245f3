"""What a mapped step goes over, and what its elements go by."""

from collections import OrderedDict, UserDict
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.errors import InvalidStep
from stepwell.workers._elements import elements_of, item_key, numbered

FEW = st.lists(st.sampled_from(["a", "b", "a #2", "a #3", "b #2", "a #2 #2"]))


@given(FEW)
def test_no_two_items_go_by_the_same_name(keys: list[str]) -> None:
    """Also where somebody's key looks like a number of ours."""
    found = numbered(keys)
    assert len(set(found)) == len(keys)
    assert all(
        name == key or name.startswith(f"{key} #") for key, name in zip(keys, found, strict=True)
    )


@given(FEW, FEW)
def test_a_list_that_grew_at_its_end_keeps_its_names(keys: list[str], more: list[str]) -> None:
    """As long as nothing new is called as a number of ours was."""
    new = [key for key in more if "#" not in key]
    assert numbered([*keys, *new])[: len(keys)] == numbered(keys)


def test_equal_elements_are_told_apart_by_their_number() -> None:
    """Readable, in the order in which they come."""
    assert numbered(["a", "b", "a", "a"]) == ["a", "b", "a #2", "a #3"]


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("heat pumps", "heat pumps"),
        (5, "5"),
        (1.5, "1.5"),
        (None, "None"),
        ("", "digest"),
        ("two\nlines", "digest"),
        ("x" * 81, "digest"),
        ("unit\x1fseparator", "digest"),
        ([1], "digest"),
    ],
)
def test_short_texts_and_numbers_are_their_own_keys(value: object, key: str) -> None:
    """Everything else goes by its digest; a key is a printable line."""
    assert item_key(value, "digest") == key


@pytest.mark.parametrize("kind", [dict, OrderedDict, UserDict])
def test_mappings_give_pairs(kind: Callable[..., object]) -> None:
    """Whatever class they are of."""
    assert elements_of(kind(a=1), step="s", source="m") == ([("a", 1)], True)


@pytest.mark.parametrize("value", ["text", b"bytes", 5, None, iter([1]), object()])
def test_what_has_no_elements_is_refused(value: object) -> None:
    """A text has letters, and nobody means those."""
    with pytest.raises(InvalidStep, match="--map goes over 'm'"):
        elements_of(value, step="s", source="m")
