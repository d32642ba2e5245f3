"""Histories of runs as the simulated worlds leave them on their disks, and worse.

What cannot happen is put in between: events that concern nobody, twice, too late, or of
steps that are gone. `apply` takes whatever there is, and so does who reads a run.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import calling
import fanning
import simulation
import troubles
import waiting_world
from msgspec.structs import replace
from simulation import Entry, digest, make_step

from stepwell.errors import StepwellError
from stepwell.flow import Binding, BindingKind
from stepwell.orchestrator import (
    AgentDefined,
    ApprovalDecided,
    ApprovalRequested,
    AttemptInterrupted,
    AttemptsStarted,
    AttemptStarted,
    Budget,
    BudgetSet,
    CallCompleted,
    CallTried,
    CheckpointShared,
    ChildRecalled,
    ChildSettled,
    ChildStarted,
    ChildWaiting,
    EnvironmentCaptured,
    ErrorInfo,
    Event,
    HeartbeatKept,
    LimitSet,
    Output,
    RunCancelled,
    RunContinued,
    RunHeld,
    RunPaused,
    RunReleased,
    SetupDefined,
    Start,
    State,
    StepForgotten,
    StepRenamed,
    StepReused,
    StepsDefined,
    StepSkipped,
    StepsRequested,
    UndoRequested,
    Usage,
    apply,
)
from tests.support import family

__all__ = ["HISTORIES", "with_strays"]

_MAIN = family.agent("main", plan=[], search=["helper", "helper"], publish=["helper"])
_HELPER = family.agent("helper", look=[], read=[])


def steps(choose: random.Random, crashes: int) -> list[Entry]:
    """Plain steps, some of which fail."""
    world = simulation.World(fails=lambda name, execution: choose.random() < 0.1)
    flow = simulation.random_flow(choose, choose.randint(1, 8))
    simulation.play(world, flow, choose, crashes=crashes, by_resume=choose.random() < 0.5)
    return world.disk


def calls(choose: random.Random, crashes: int) -> list[Entry]:
    """Steps that make durable calls within calls."""
    flow = calling.calling_steps(choose, choose.randint(1, 3))
    world = calling.CallingWorld(plans=calling.plans(choose, flow))
    calling.play(world, flow, choose, crashes)
    return world.disk


def items(choose: random.Random, crashes: int) -> list[Entry]:
    """Mapped steps, over each other."""
    flow = fanning.random_fans(choose, choose.randint(1, 5))
    world = fanning.FanWorld(slots=choose.randint(1, 4), is_mended=True)
    world.fails = lambda work, execution, element: execution == 1 and element.endswith("1")
    fanning.play_fan(world, flow, choose, crashes=crashes)
    return world.disk


def waits(choose: random.Random, crashes: int) -> list[Entry]:
    """Steps that wait for people, times and messages."""
    kinds = waiting_world.KINDS
    bodies = {
        f"s{number}": [choose.choice(kinds) for _ in range(choose.randint(1, 3))]
        for number in range(choose.randint(1, 4))
    }
    world = waiting_world.Waiting(choose, bodies)
    world.boot()
    for _ in range(60):
        if crashes and choose.random() < 0.03:
            world.crash(batch_arrived=choose.random() < 0.5)
        world.move()
    return world.disk


def undoing(choose: random.Random, crashes: int) -> list[Entry]:
    """Failures, time, pauses, and steps that are undone."""
    story = troubles.Story(choose.randrange(10**6))
    for _ in range(40 + 20 * crashes):
        story.move()
    return story.world.disk


def children(choose: random.Random, crashes: int) -> list[Entry]:
    """A run that starts runs; one of those, whichever."""
    world = family.World({it.name: it for it in (_MAIN, _HELPER)})
    process = world.boot()
    process.ask(_MAIN)
    for _ in range(crashes):
        family.go_on(process, choose, moves=choose.randint(1, 20))
        world.crash(batch_arrived=choose.random() < 0.5)
        process = world.boot()
        process.ask(_MAIN, resume=bool(process.states[family.ROOT].flow))
    family.go_on(process, choose)
    run = choose.choice(sorted({entry[0] for entry in world.disk}))
    return [entry[1:] for entry in world.disk if entry[0] == run]


HISTORIES: dict[str, Callable[[random.Random, int], list[Entry]]] = {
    "steps": steps,
    "calls": calls,
    "items": items,
    "waits": waits,
    "undoing": undoing,
    "children": children,
}


def with_strays(history: Sequence[Entry], choose: random.Random) -> list[Entry]:
    """The history with a few more things in it, anywhere."""
    found = list(history)
    names = [*{entry[0] for entry in history if entry[0]}, "nobody"]
    for _ in range(choose.randint(0, 12)):
        event = _stray(choose, names)
        place = choose.randint(0, len(found))
        step = choose.choice(["", *names])
        found.insert(place, (step, "", choose.randint(0, 2), place, event))
        if isinstance(event, ApprovalRequested) and choose.random() < 0.5:
            always = ApprovalDecided(event.approval, "approved", event.call, always=True)
            found.insert(place + 1, (step, "", 0, place, always))
    return list(_possible(found))


def _possible(history: Sequence[Entry]) -> Iterator[Entry]:
    """Without definitions that the flow refuses: these are never recorded."""
    state = State("r", is_replayed=True)
    for entry in history:
        step, item, attempt, at, event = entry
        with suppress(StepwellError):
            state = apply(state, event, step=step, item=item, attempt=attempt, at=at)
            yield entry


def _stray(choose: random.Random, names: Sequence[str]) -> Event:
    name, number = choose.choice(names), choose.randrange(10**6)
    environment = digest("env", str(number))
    added = make_step(f"added{number}", [name])
    strays: list[Event] = [
        AgentDefined("helper", "helper(x) -> y", cell="c"),
        StepsDefined((added,)),
        StepsDefined((replace(added, flow="helper", reads=()),)),
        StepsDefined((replace(make_step(name, []), digest=f"{number}", priority=3, once=True),)),
        AttemptStarted(f"key {number}", "c", {"a": "b"}, "e"),
        AttemptsStarted(
            tuple(
                Start(one, "", 9, number, AttemptStarted("key", "c", {"a": "b"}, "e"))
                for one in names
            )
        ),
        AttemptInterrupted("process_died"),
        CallTried("a try", ErrorInfo("E"), "f", 2, number),
        ChildStarted("a child", "c1", agent="helper"),
        ChildWaiting("a child", "c1"),
        ChildSettled("a child", "c1", "failed", spent=(1, 2, 3.0)),
        ChildRecalled("a child", ("x",)),
        RunHeld(is_refused=choose.random() < 0.5),
        RunReleased(),
        CallCompleted("a call", name="f", result=Output("d"), usage=Usage(3, 4, 0.5)),
        ApprovalRequested(f"q{number}", f"ask {number}", "?", tool="tool", due=number),
        ApprovalDecided(f"q{number}", "approved", f"ask {number}", always=True, by="ana"),
        StepsRequested(dict.fromkeys(names, "e"), force=(name,), by="rerun"),
        SetupDefined(name, "import os", number),
        EnvironmentCaptured(environment, {"x": Binding(BindingKind.VALUE, "d")}, {"x": "d"}),
        BudgetSet(Budget(cost=1.5, calls=number), by="ana", since=3),
        LimitSet("slow", 2),
        HeartbeatKept(Output("beat", "int", 3)),
        CheckpointShared("other", 12, {name: Output("d", parts=("a", "b"))}, digest="x", index=1),
        RunPaused(),
        RunContinued(),
        RunCancelled((name,)),
        RunCancelled(),
        StepForgotten(),
        StepRenamed(f"renamed{number}"),
        StepReused(),
        StepSkipped("not now", "c", {"a": "b"}),
        UndoRequested(dict.fromkeys(names, "e"), on_failure=choose.random() < 0.5),
        AttemptInterrupted("cancelled"),
    ]
    return choose.choice(strays)
