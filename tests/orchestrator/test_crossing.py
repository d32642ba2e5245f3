"""Limits that are taken inside each other: nobody waits for ever."""

import random
from concurrent.futures import Future
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation import make_step

from stepwell.errors import LimitsCrossed
from stepwell.orchestrator import (
    AttemptFailed,
    AttemptId,
    AttemptStarted,
    ErrorInfo,
    Limits,
    LimitSet,
    State,
    StepsDefined,
    apply,
)
from stepwell.orchestrator._permits import PermitMail, Permits

LIMITS = ("a", "b", "c")
Plan = tuple[str, ...]
"""Limits that are taken inside each other, outermost first."""


@dataclass
class Code:
    """What an attempt does: calls one after the other, each with others inside; two at once."""

    attempt: AttemptId
    plans: list[Plan]
    lanes: list["Lane"] = field(default_factory=list["Lane"])


@dataclass
class Lane:
    """One call, on its way in and out again."""

    number: int
    plan: Plan
    held: list[Future[None]] = field(default_factory=list[Future[None]])
    wanted: Future[None] | None = None

    @property
    def key(self) -> str:
        """Of the next call inside."""
        return "/".join(f"f{self.number}#{depth}" for depth in range(len(self.held) + 1))


class World:
    """Permits, and code that asks for them in whichever order."""

    def __init__(self, plans: list[list[Plan]], steps: list[str], most: int) -> None:
        self.state = State("r")
        made = [
            msgspec.structs.replace(make_step(f"s{at}", []), limit=limit)
            for at, limit in enumerate(steps)
        ]
        apply(self.state, StepsDefined(tuple(made)), at=0)
        self.permits = Permits({"r": self.state}.get)
        self.limits = Limits({"r": self.state}, self.permits.holders)
        self.limits.rules = {name: LimitSet(name, most) for name in LIMITS}
        self.codes: list[Code] = []
        self.left = [(step.name, mine) for step, mine in zip(made, plans, strict=False)]
        self.refused: list[LimitsCrossed] = []

    def begin(self) -> None:
        """Steps begin as there is room for them."""
        for name, plans in list(self.left):
            limit = self.state.flow[name].limit
            if not limit or self.limits.room(limit, 0) > 0:
                self.left.remove((name, plans))
                apply(self.state, AttemptStarted("k", "1", {}, "e"), step=name, attempt=1, at=0)
                self.codes.append(Code(AttemptId("r", name, 1), list(plans)))

    def run(self, choose: random.Random) -> None:
        """Until all is done. Fails when somebody waits for ever."""
        number = 0
        while self.codes or self.left:
            self.begin()
            if self.end():
                continue
            able = [(code, lane) for code in self.codes for lane in code.lanes if _can_move(lane)]
            fresh = [code for code in self.codes if len(code.lanes) < 2 and code.plans]
            assert able or fresh, "everybody waits for somebody else"
            if fresh and (not able or choose.random() < 0.5):
                code = choose.choice(fresh)
                number += 1
                code.lanes.append(Lane(number, code.plans.pop()))
            else:
                self.move(*choose.choice(able))
            self.permits.look(self.limits, 0)
            for name in LIMITS:
                assert self.limits.at_once(name) >= 0

    def move(self, code: Code, lane: Lane) -> None:
        """One call goes in, has its turn or is refused, or comes out again."""
        if lane.wanted is not None:
            wanted, lane.wanted = lane.wanted, None
            error = wanted.exception()
            if error is not None:
                assert isinstance(error, LimitsCrossed)
                self.refused.append(error)
                lane.plan = lane.plan[: len(lane.held)]
            else:
                lane.held.append(wanted)
        elif len(lane.held) < len(lane.plan):
            lane.wanted = Future()
            limit = lane.plan[len(lane.held)]
            self.permits.take(PermitMail(code.attempt, lane.wanted, lane.key, limit))
        else:
            lane.plan = lane.plan[:-1]
            if lane.held:
                self.permits.take(PermitMail(code.attempt, lane.held.pop()))
            if not lane.held:
                code.lanes.remove(lane)

    def end(self) -> bool:
        """Steps end whose code has; whether there was one."""
        ended = [code for code in self.codes if not code.lanes and not code.plans]
        for code in ended:
            self.codes.remove(code)
            failed = AttemptFailed(ErrorInfo("ValueError", "no", is_user_code=True))
            apply(self.state, failed, step=code.attempt.step, attempt=1, at=0)
        self.permits.look(self.limits, 0)
        return bool(ended)


def _can_move(lane: Lane) -> bool:
    return lane.wanted is None or lane.wanted.done()


PLANS = st.lists(
    st.lists(st.lists(st.sampled_from(LIMITS), max_size=3, unique=True).map(tuple), max_size=3),
    min_size=2,
    max_size=4,
)
STEPS = st.lists(st.sampled_from(["", "", *LIMITS]), min_size=4, max_size=4)


@given(PLANS, STEPS, st.integers(1, 2), st.integers(0, 2**32))
def test_whatever_is_taken_inside_whatever(
    plans: list[list[Plan]], steps: list[str], most: int, seed: int
) -> None:
    """All of it ends, with nothing held."""
    world = World(plans, steps, most)
    world.run(random.Random(seed))
    assert [world.limits.at_once(name) for name in LIMITS] == [most] * 3
    for error in world.refused:
        assert error.facts["held"] != error.facts["wanted"]


@given(PLANS, st.integers(1, 2), st.integers(0, 2**32))
def test_who_keeps_to_an_order_is_never_refused(
    plans: list[list[Plan]], most: int, seed: int
) -> None:
    """Waiting long is not waiting for ever."""
    ordered = [[tuple(sorted(plan)) for plan in mine] for mine in plans]
    world = World(ordered, [""] * 4, most)
    world.run(random.Random(seed))
    assert world.refused == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_last_to_ask_is_refused_and_told_both_names(order: tuple[int, int]) -> None:
    """The other goes on as soon as what was held is handed back."""
    world = World([[("a", "b")], [("b", "a")]], ["", ""], 1)
    world.begin()
    outer: list[Future[None]] = [Future(), Future()]
    inner: list[Future[None]] = [Future(), Future()]
    for at, limit in enumerate("ab"):
        mail = PermitMail(world.codes[at].attempt, outer[at], "f#0", limit)
        world.permits.take(mail)
    for at in order:
        mail = PermitMail(world.codes[at].attempt, inner[at], "f#0/g#0", "ba"[at])
        world.permits.take(mail)
        world.permits.look(world.limits, 0)
    first, last = order
    with pytest.raises(LimitsCrossed, match=r"the limit '[ab]' would wait inside it for one under"):
        inner[last].result(0)
    assert not inner[first].done()
    world.permits.take(PermitMail(world.codes[last].attempt, outer[last]))
    world.permits.look(world.limits, 0)
    assert inner[first].done()
