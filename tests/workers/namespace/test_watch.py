"""Inputs that are shared, and changed."""

from stepwell.workers.namespace import Watch


def test_a_changed_object_is_named() -> None:
    """Only those that were changed, sorted."""
    rows, kept, table = [1], [1], {"a": [1]}
    watch = Watch({"table": table, "rows": rows, "kept": kept})
    rows.append(2)
    table["a"].append(2)
    assert watch.changed() == ("rows", "table")


def test_an_unchanged_object_is_not_named() -> None:
    """Reading is no change."""
    watch = Watch({"rows": [1], "text": "x"})
    assert watch.changed() == ()


def test_a_change_undone_is_no_change() -> None:
    """What counts is what others will see."""
    rows = [1]
    watch = Watch({"rows": rows})
    rows.append(2)
    rows.pop()
    assert watch.changed() == ()


def test_objects_that_nothing_tells_apart_are_left_alone() -> None:
    """No false alarm for a generator or a client."""
    numbers = (n for n in range(3))
    watch = Watch({"numbers": numbers})
    next(numbers)
    assert watch.changed() == ()


def test_an_object_that_has_become_unreadable_is_named() -> None:
    """A list that now holds a generator is not what it was."""
    rows: list[object] = [1]
    watch = Watch({"rows": rows})
    rows.append(n for n in range(3))
    assert watch.changed() == ("rows",)
