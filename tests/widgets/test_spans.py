"""When attempts ran, and when they waited."""

from itertools import permutations

from stepwell.widgets import SpanRecord, Spans

RECORDS = [
    ("attempt_started", "a", 1, 100, "", "", 0),
    ("attempt_failed", "a", 1, 150, "", "", 190),
    ("attempt_started", "a", 2, 200, "", "", 0),
    ("timer_set", "a", 2, 220, "sleep#1", "", 0),
    ("wait_ended", "a", 2, 250, "sleep#1", "", 0),
]


Record = tuple[str, str, int, int, str, str, int]


def told(*records: Record) -> Spans:
    """Spans that have been told of these."""
    spans = Spans()
    for record in records:
        spans.note(SpanRecord(*record))
    return spans


def test_order_and_repetition_do_not_matter() -> None:
    """What is read from the store and heard as well comes to the same in the end."""
    for order in permutations([*RECORDS, RECORDS[0], RECORDS[3]]):
        attempts, waits = told(*order).everything()
        assert sorted(map(str, attempts)) == [
            "['a', 1, 100, 150, 'failed']",
            "['a', 2, 200, 0, 'running']",
        ]
        assert sorted(map(str, waits)) == [
            "['a', 1, ' 1 150 0', 'backoff', 150, 190, '']",
            "['a', 2, 'sleep#1 0', 'sleep', 220, 250, '']",
        ]


def test_only_what_is_new_is_told_again() -> None:
    """After all was told, a change tells of the attempt that changed and no other."""
    spans = told(*RECORDS)
    spans.everything()
    spans.note(SpanRecord("message_awaited", "a", 2, 260, "m", "news"))
    spans.note(SpanRecord("steps_requested", "b", 0, 300))
    assert spans.take_changed() == ([], [["a", 2, "m 0", "message", 260, 0, "news"]])
    spans.note(SpanRecord("attempt_completed", "a", 2, 300))
    assert spans.take_changed() == ([["a", 2, 200, 300, "done"]], [])
    assert spans.take_changed() == ([], [])


def test_what_waits_again_waits_twice() -> None:
    """A child that goes on after it had come to its end: two stretches, not one long one."""
    spans = told(
        ("child_started", "a", 1, 10, "c", "look", 0),
        ("child_settled", "a", 1, 20, "c", "", 0),
        ("child_started", "a", 2, 80, "c", "look", 0),
    )
    assert [wait[4:6] for wait in spans.everything()[1]] == [[10, 20], [80, 0]]


def test_what_was_cut_off_ended_when_it_was_last_heard_of() -> None:
    """The next process writes it down, perhaps days later: nobody worked until then."""
    spans = told(
        ("attempt_started", "a", 1, 100, "", "", 0),
        ("attempt_started", "b", 1, 110, "", "", 0),
        ("attempt_completed", "b", 1, 140, "", "", 0),
        ("attempt_interrupted", "a", 1, 9000, "", "process_died", 0),
        ("attempt_started", "c", 1, 9100, "", "", 0),
        ("attempt_interrupted", "c", 1, 9200, "", "cancelled", 0),
    )
    attempts, _ = spans.everything()
    assert ["a", 1, 100, 140, "interrupted"] in attempts
    assert ["c", 1, 9100, 9200, "cancelled"] in attempts


def test_a_step_is_marked_where_it_was_restored_last() -> None:
    """However often: one mark, at no length."""
    spans = told(*(("step_reused", "a", 1, at, "", "", 0) for at in (30, 10, 20)))
    assert spans.everything()[1] == [["a", 0, "restored 0", "restored", 30, 30, ""]]


def test_a_loop_that_sleeps_does_not_grow_for_ever() -> None:
    """The newest five hundred stretches of a step are known."""
    spans = told(*(("timer_set", "a", 1, at, f"s{at}", "", 0) for at in range(1, 2001)))
    waits = spans.everything()[1]
    assert len(waits) == 500
    assert waits[-1][4] == 2000
