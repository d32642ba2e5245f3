"""What is done for others in the process while there is very much to do."""

import asyncio
import gc
import sys
from collections.abc import Iterator

import pytest
from controlled import StandIn

from stepwell.orchestrator import Orchestrator
from stepwell.orchestrator import _courtesy as module
from stepwell.orchestrator._courtesy import ASIDE_SECONDS, NAP_SECONDS, Courtesy
from stepwell.orchestrator._mailbox import Mailbox
from stepwell.store import MemoryStore

OWN = (500, 7, 13)


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    """What somebody has set for the process, and what there was before."""
    threshold, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(*OWN)
    sys.setswitchinterval(0.004)
    yield
    gc.set_threshold(*threshold)
    sys.setswitchinterval(interval)


def what_is_set() -> tuple[tuple[int, int, int], float]:
    """Of the process."""
    return gc.get_threshold(), round(sys.getswitchinterval(), 6)


def test_after_a_rush_all_is_as_it_was() -> None:
    """Also where two have been in a rush, when the last of them is out of it."""
    courtesy = Courtesy()
    courtesy.begin()
    courtesy.begin()
    assert what_is_set() == ((*OWN[:2], 1_000_000), 0.001)
    courtesy.end()
    assert what_is_set() == ((*OWN[:2], 1_000_000), 0.001)
    courtesy.end()
    assert what_is_set() == (OWN, 0.004)


def test_what_somebody_sets_meanwhile_stays() -> None:
    """It is theirs."""
    courtesy = Courtesy()
    courtesy.begin()
    gc.set_threshold(1, 2, 3)
    sys.setswitchinterval(0.5)
    courtesy.end()
    assert what_is_set() == ((1, 2, 3), 0.5)


def test_whoever_has_set_a_shorter_interval_keeps_it() -> None:
    """Threads change places as often as that already."""
    sys.setswitchinterval(0.0005)
    courtesy = Courtesy()
    courtesy.begin()
    assert what_is_set()[1] == 0.0005
    courtesy.end()
    assert what_is_set()[1] == 0.0005


def test_garbage_is_looked_for_again_after_ten_seconds() -> None:
    """However long the rush lasts: memory is not to fill up."""
    clock = Clock()
    courtesy = Courtesy(clock)
    courtesy.begin()
    clock.now += 9
    courtesy.look()
    assert gc.get_threshold() != OWN
    clock.now += 2
    courtesy.look()
    assert gc.get_threshold() == OWN
    courtesy.end()
    assert what_is_set() == (OWN, 0.004)


def test_nobody_steps_aside_without_a_rush() -> None:
    """A cell that is executed does not delay a chain of steps."""
    courtesy = Courtesy()
    courtesy.give_way()
    assert courtesy.aside() == 0


def test_who_is_in_a_rush_steps_aside_for_a_moment() -> None:
    """Until the kernel has its answer on its way, and for so long at most."""
    clock = Clock()
    courtesy = Courtesy(clock)
    courtesy.begin()
    courtesy.give_way()
    assert courtesy.aside() == NAP_SECONDS
    courtesy.go_on(0.001)
    assert courtesy.aside() == pytest.approx(0.001)
    clock.now += 0.001
    assert courtesy.aside() == 0
    clock.now += 1
    courtesy.give_way()
    clock.now += ASIDE_SECONDS + 0.001
    assert courtesy.aside() == 0
    courtesy.end()


def test_work_goes_on_half_of_the_time_whatever_is_executed() -> None:
    """A loop of cells slows ten thousand steps down, and does not stop them."""
    clock = Clock()
    courtesy = Courtesy(clock)
    courtesy.begin()
    stood = worked = 0
    for _ in range(10_000):
        clock.now += 0.0001
        courtesy.give_way()
        stood, worked = (stood + 1, worked) if courtesy.aside() else (stood, worked + 1)
    assert stood == pytest.approx(worked, rel=0.1)
    courtesy.end()


def test_a_mailbox_waits_for_who_is_given_way_and_then_reads_all() -> None:
    """Nothing is lost, nothing is read twice."""
    aside, read = [0.001] * 3, list[int]()

    async def main() -> None:
        is_read = asyncio.Event()

        def take(mail: list[int]) -> None:
            read.extend(mail)
            if len(read) == 10:
                is_read.set()

        mailbox: Mailbox[int] = Mailbox(take, slice_=4, aside=lambda: aside.pop() if aside else 0.0)
        mailbox.open()
        for number in range(10):
            mailbox.put(number)
        await is_read.wait()
        mailbox.close()

    asyncio.run(main())
    assert read == list(range(10))
    assert not aside


def test_an_orchestrator_with_much_to_read_is_in_a_rush(monkeypatch: pytest.MonkeyPatch) -> None:
    """And out of it when it has been quiet for a while."""
    monkeypatch.setattr(module, "QUIET_SECONDS", 0.02)

    async def main() -> None:
        courtesy = Courtesy()
        rush, end = module.Rush(courtesy), courtesy.end
        rush.see(3)
        assert what_is_set() == (OWN, 0.004)
        rush.see(64)
        assert what_is_set() != (OWN, 0.004)
        is_over = asyncio.Event()
        monkeypatch.setattr(courtesy, "end", lambda: (end(), is_over.set()))
        await asyncio.wait_for(is_over.wait(), 30)
        assert what_is_set() == (OWN, 0.004)

    asyncio.run(main())


def test_whoever_asks_for_very_many_steps_at_once_begins_a_rush() -> None:
    """Their making alone would have garbage looked for; of a few steps nothing is made."""
    orchestrator = Orchestrator(MemoryStore(), StandIn())
    orchestrator.start()
    orchestrator.call(lambda: orchestrator.expect(3))
    assert what_is_set() == (OWN, 0.004)
    orchestrator.call(lambda: orchestrator.expect(1_000))
    assert what_is_set() != (OWN, 0.004)
    orchestrator.stop()
    assert what_is_set() == (OWN, 0.004)
