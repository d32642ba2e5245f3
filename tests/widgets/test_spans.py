"""When attempts began and ended."""

from itertools import permutations

from stepwell.widgets import Spans

RECORDS = [
    ("attempt_started", "a", 1, 100),
    ("attempt_failed", "a", 1, 150),
    ("attempt_started", "a", 2, 200),
]


def test_order_and_repetition_do_not_matter() -> None:
    """What is read from the store and heard as well comes to the same in the end."""
    for order in permutations([*RECORDS, *RECORDS[:2]]):
        spans = Spans()
        for record in order:
            spans.note(*record)
        assert sorted(map(str, spans.everything())) == [
            "['a', 1, 100, 150, 'failed']",
            "['a', 2, 200, 0, 'running']",
        ]


def test_only_what_is_new_is_told_again() -> None:
    """After all was told, a change tells of the attempt that changed and no other."""
    spans = Spans()
    for record in RECORDS:
        spans.note(*record)
    spans.everything()
    spans.note("attempt_completed", "a", 2, 300)
    spans.note("steps_requested", "b", 0, 300)
    assert spans.take_changed() == [["a", 2, 200, 300, "done"]]
    assert spans.take_changed() == []
