"""How often cards are shown, by a clock that is set."""

from shown import NOON, SECOND

from stepwell.widgets._pace import Pace


def play(pace: Pace, start: int, seconds: float) -> list[tuple[float, str]]:
    """Show what is due when it is due; when (in seconds) and what."""
    shown: list[tuple[float, str]] = []
    end = start + int(seconds * SECOND)
    now = start
    while True:
        waited_for = pace.next(now)
        assert now == start or (waited_for is not None and waited_for <= now), "put off again"
        shown += [((now - start) / SECOND, card) for card in pace.due(now)]
        moment = pace.next(now)
        if moment is None or moment > end:
            return shown
        assert moment > now, "it would never come to rest"
        now = moment


def opened(*cards: str, since: int = 0) -> Pace:
    """Cards that were shown at noon."""
    pace = Pace()
    for card in cards:
        pace.opened(card, NOON, since=since)
    return pace


def test_a_card_changes_at_most_four_times_a_second() -> None:
    """A thousand changes within a second are four, and the last one is among them."""
    pace = opened("a")
    shown: list[float] = []
    for step in range(1000):
        now = NOON + step * SECOND // 1000
        pace.changed("a", now, since=0, is_final=False)
        shown += [now / SECOND for _ in pace.due(now)]
    shown += [when for when, _ in play(pace, NOON + SECOND, 1)]
    assert len(shown) == 4
    assert pace.next(NOON + 2 * SECOND) is None


def test_many_cards_share_ten_messages_a_second() -> None:
    """After a first bunch; each card's newest state comes in the end."""
    cards = [f"card {number}" for number in range(50)]
    pace = opened(*cards)
    for card in cards:
        pace.changed(card, NOON, since=0, is_final=False)
    shown = play(pace, NOON, 60)
    assert {card for _, card in shown} == set(cards)
    assert max(sum(start <= when < start + 1 for when, _ in shown) for start in range(60)) <= 21


def test_a_final_state_waits_for_nothing() -> None:
    """Neither for the card's own interval nor for the changes of others."""
    cards = [f"card {number}" for number in range(50)]
    pace = opened(*cards)
    for card in cards:
        pace.changed(card, NOON, since=0, is_final=False)
    pace.changed("card 49", NOON + 1, since=0, is_final=True)
    assert pace.due(NOON + 1)[0] == "card 49"


def test_a_hundred_finals_at_once_are_shown_at_once() -> None:
    """And a thousand within twenty seconds, well below what servers drop."""
    cards = [f"card {number}" for number in range(1000)]
    pace = opened(*cards)
    for card in cards:
        pace.changed(card, NOON, since=0, is_final=True)
    shown = play(pace, NOON, 60)
    assert sum(when == 0 for when, _ in shown) == 100
    assert len(shown) == 1000
    assert shown[-1][0] < 20


def test_elapsed_time_ticks_each_second_then_every_ten() -> None:
    """On the second, so that no number is skipped."""
    pace = opened("a", since=NOON)
    ticks = [when for when, _ in play(pace, NOON, 121)]
    assert ticks == [*range(1, 61), *range(70, 121, 10)]


def test_ticks_of_many_cards_do_not_flood() -> None:
    """Ten thousand running steps cost ten messages a second, and none starves."""
    cards = [f"card {number}" for number in range(10_000)]
    pace = opened(*cards, since=NOON)
    shown = play(pace, NOON, 100)
    assert len(shown) <= 10 * 100 + 10
    assert len({card for _, card in shown}) == len(shown)


def test_a_change_goes_before_a_tick() -> None:
    """What is new matters more than what goes on."""
    cards = [f"card {number}" for number in range(20)]
    pace = opened(*cards, since=NOON)
    pace.changed("card 19", NOON + SECOND, since=NOON, is_final=False)
    assert pace.due(NOON + SECOND)[0] == "card 19"


def test_a_card_that_stops_running_stops_ticking() -> None:
    """Nothing is due after its last state."""
    pace = opened("a", since=NOON)
    pace.changed("a", NOON + 1, since=0, is_final=True)
    assert play(pace, NOON + 1, 100) == [(0.0, "a")]


def test_a_step_that_runs_again_is_shown_as_running() -> None:
    """Done and started again within the interval: the newest state is shown, and it ticks."""
    pace = opened("a")
    pace.changed("a", NOON + 1, since=0, is_final=True)
    pace.changed("a", NOON + 2, since=NOON + 2, is_final=False)
    assert play(pace, NOON + 2, 2.5) == [(0.0, "a"), (1.0, "a"), (2.0, "a")]


def test_a_clock_that_is_set_back_delays_nothing() -> None:
    """An hour back: the card is shown within its usual interval."""
    pace = opened("a")
    pace.changed("a", NOON, since=0, is_final=False)
    back = NOON - 3600 * SECOND
    moment = pace.next(back)
    assert moment is not None
    assert moment - back <= SECOND // 4
    assert pace.due(moment) == ["a"]


def test_a_card_that_was_opened_anew_is_not_shown_twice() -> None:
    """Opening shows the newest state."""
    pace = opened("a")
    pace.changed("a", NOON, since=0, is_final=True)
    pace.opened("a", NOON, since=0)
    assert play(pace, NOON, 10) == []


def test_everything_is_what_has_changed() -> None:
    """Whatever the intervals; afterwards nothing is due."""
    pace = opened("a", "b", "c")
    pace.changed("a", NOON, since=0, is_final=False)
    pace.changed("b", NOON, since=0, is_final=True)
    assert sorted(pace.everything(NOON)) == ["a", "b"]
    assert play(pace, NOON, 10) == []
