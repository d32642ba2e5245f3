"""From what is asked for to events: steps defined, wanted, cancelled, forgotten.

These functions run on the main thread. What they find out about the notebook (which names
a step would find around it now) they find out there; what they change they change in work
that is handed to the orchestrator's thread.
"""

import builtins
from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec.structs import replace

from stepwell.errors import (
    InvalidUsage,
    UnknownName,
    UnknownStep,
    near_misses,
)
from stepwell.flow import Flow, Step, undoing_each
from stepwell.orchestrator import (
    AgentDefined,
    LimitSet,
    RunCancelled,
    RunContinued,
    RunPaused,
    SetupDefined,
    State,
    StepForgotten,
    StepRenamed,
    StepsDefined,
    StepsRequested,
    UndoRequested,
    closure,
    request,
    to_be_undone,
)
from stepwell.secrecy import refuse_secrets_in
from stepwell.session._engine import Engine
from stepwell.session._surroundings import Alike
from stepwell.workers.namespace import Captured

__all__ = [
    "ask",
    "begin_fresh",
    "cancel",
    "check_names",
    "define",
    "forget",
    "go_on",
    "limit",
    "pause",
    "remember_setup",
    "stop",
    "undo",
    "undo_on",
]

# What IPython puts into every namespace: nobody meant one of these.
_IPYTHONS_OWN = frozenset({"In", "Out", "exit", "get_ipython", "open", "quit"})

Environments = dict[str, tuple[str, Captured]]
"""Step → the digest of the environment it would find now, and the environment."""


def check_names(state: State, names: Iterable[str]) -> None:
    """Raises `UnknownStep` with near misses."""
    for name in names:
        if name not in state.flow:
            raise UnknownStep(name, near_misses(name, [step.name for step in state.flow]))


def define(engine: Engine, steps: Sequence[Step]) -> None:
    """Make these steps part of the flow. Raises `FlowError`; then nothing is changed."""
    for step in steps:
        refuse_secrets_in(step.source, step.name)
    state = engine.state
    _refuse_maps(state, steps)
    renamed = [old for step in steps if (old := _former_name(state, step))]

    def work() -> None:
        engine.orchestrator.expect(len(steps))
        if renamed:
            _try(state, steps, without={old for old, _ in renamed})
        for old, new in renamed:
            engine.orchestrator.record(engine.run, StepRenamed(new), step=old)
        changed = [step for step in steps if state.flow_of(step).get(step.name) != step]
        if changed:
            engine.orchestrator.record(engine.run, StepsDefined(tuple(changed)))

    engine.orchestrator.call(work)


def _refuse_maps(state: State, steps: Sequence[Step]) -> None:
    """What undoes a mapped step is mapped by that. Raises `InvalidStep` before it is too late."""
    new = {step.name: step for step in steps}
    pairs = [(step, step.undo_of) for step in steps if step.undo_of]
    if any(step.map is not None for step in steps):
        known = (step for step in state.flow if step.name not in new)
        pairs += [(step, step.undo_of) for step in known if step.undo_of in new]
    for step, name in pairs:
        if (undone := new.get(name) or state.flow.get(name)) is not None:
            undoing_each(step, undone)


def _former_name(state: State, step: Step) -> tuple[str, str] | None:
    """The name the step's cell had before, if it was renamed."""
    if not step.cell or step.name in state.flow:
        return None
    for known in state.flow:
        is_running = state.step(known.name).running is not None
        if known.cell == step.cell and not is_running:
            return known.name, step.name
    return None


def _try(state: State, steps: Sequence[Step], *, without: Collection[str]) -> None:
    """The definitions on a flow of their own. Raises `FlowError`; the state is not touched."""
    mine = {step.name for step in steps}
    trial = Flow()
    trial.extend(step for step in state.flow if step.name not in {*without, *mine})
    trial.extend(step for step in steps if not step.flow)


def ask(
    engine: Engine,
    names: Collection[str],
    *,
    by: str,
    force: Collection[str] = (),
    failed_only: bool = False,
) -> Environments:
    """Have these steps brought up to date in the background; what they will find around them.

    Those in `force` run although nothing has changed; with `failed_only` their items that are
    done are kept.

    Raises `UnknownStep`, and `UnknownName` for a name that nobody makes.
    """
    state = engine.state
    names = frozenset(names)
    check_names(state, names)
    found = _capture_all(engine, names)
    environments = {name: digest for name, (digest, _) in found.items()}

    def work() -> None:
        engine.orchestrator.expect(len(names))
        wish = request(state, names, environments, by=by, force=force, failed_only=failed_only)
        for name in wish.environments:
            _refuse_missing(engine, name, found[name][1])
        for digest in dict.fromkeys(wish.environments.values()):
            _record_environment(engine, digest)
        engine.orchestrator.record(engine.run, wish)
        for name in wish.environments:
            # What went wrong with the old values is nothing to who waits for the new ones.
            engine.outputs.expect(state.flow[name].writes)
        engine.surroundings.let_go(engine.environments_in_use)

    engine.orchestrator.call(work)
    return found


def _record_environment(engine: Engine, digest: str) -> None:
    event = engine.surroundings.event(digest)
    if not engine.state.knows(event):
        blobs = tuple(engine.surroundings.captured[digest].blobs.values())
        engine.orchestrator.record(engine.run, event, blobs=blobs)


def _capture_all(engine: Engine, names: Collection[str]) -> Environments:
    """The environments of these steps and of what they read from.

    A helper may read another step's output, and so may the step itself under a builtin's
    name: edges of the graph that show only now, and may bring further steps in.
    """
    state, found = engine.state, Environments()
    # Of steps that read the same names one is looked at, as long as no further edge shows.
    alike: Alike = {}
    kept = set[int]()
    while missing := [name for name in closure(state, names) if name not in found]:
        alike.clear()
        for name in missing:
            definition = state.flow[name]
            captured = found[name] = engine.capture(name, alike=alike)
            if id(captured) not in kept:
                kept.add(id(captured))
                engine.surroundings.keep(*captured)
            known = (*definition.reads, *definition.writes)
            found_out = (*captured[1].inputs_via_helpers, *_given_new_meaning(engine, definition))
            via = [key for key in dict.fromkeys(found_out) if key not in known]
            if via:
                define(engine, [replace(definition, reads=(*definition.reads, *via))])
                alike.clear()
            _look_through_helpers(engine, name, captured[1])
    return found


def _look_through_helpers(engine: Engine, name: str, captured: Captured) -> None:
    """What a mapped step's helpers read its items depend on, be it the source of them all."""
    definition = engine.state.flow[name]
    over = definition.map
    if over is None:
        return
    used = {used for binding in captured.bindings.values() for used in binding.uses}
    apart = tuple(it for it in over.apart if it not in used.union(captured.inputs_via_helpers))
    if apart != over.apart:
        define(engine, [replace(definition, map=replace(over, apart=apart))])


def _given_new_meaning(engine: Engine, definition: Step) -> Iterator[str]:
    """Builtins the step uses that mean something else here: a step or a cell has assigned them."""
    namespace = engine.surroundings.namespace_of_notebook
    for name in definition.builtins:
        if name in _IPYTHONS_OWN:
            continue
        is_own = name in namespace and namespace[name] is not getattr(builtins, name, None)
        if is_own or engine.state.flow.writer_of(name) is not None:
            yield name


def _refuse_missing(engine: Engine, name: str, captured: Captured) -> None:
    flow = engine.state.flow
    definition = flow[name]
    for other in definition.after:
        if other not in engine.state.flow:
            near = near_misses(other, [step.name for step in engine.state.flow])
            raise UnknownStep(other, f" Step {name!r} names it in --after.{near}")
    for missing in captured.missing:
        if missing in definition.defaults or missing in definition.optional:
            continue
        namespace = engine.surroundings.namespace_of_notebook
        known = [*namespace, *(out for step in flow for out in step.writes)]
        public = [word for word in known if not word.startswith("_") and word not in _IPYTHONS_OWN]
        raise UnknownName(name, missing, near_misses(missing, public))


def begin_fresh(engine: Engine) -> None:
    """A new run with the same steps, none of which has run in it."""
    flows = (engine.state.flow, *engine.state.agents.values())
    steps = tuple(step for flow in flows for step in flow)
    setups: tuple[SetupDefined | AgentDefined, ...] = (
        *engine.state.setups.values(),
        *engine.state.declared.values(),
    )
    cancel(engine)
    engine.begin()

    def work() -> None:
        for setup in setups:
            engine.orchestrator.record(engine.run, setup)
        if steps:
            engine.orchestrator.record(engine.run, StepsDefined(steps))

    engine.orchestrator.call(work)


def cancel(engine: Engine, names: Collection[str] = ()) -> None:
    """Start nothing more of these (or of all), stop what can be stopped, refuse the rest."""
    state = engine.state
    check_names(state, names)

    def work() -> None:
        concerned = set(names) or set(state.steps)
        for name in list(state.running):
            if name in concerned:
                engine.orchestrator.interrupt(engine.run, name)
        engine.orchestrator.record(engine.run, RunCancelled(steps=tuple(names)))

    engine.orchestrator.call(work)


def _fit_undoing(engine: Engine, names: Collection[str]) -> None:
    """What undoes a mapped step does so item by item. Raises `InvalidStep`."""
    flow = engine.state.flow
    changed: list[Step] = []
    for name in names:
        undone = flow.get(flow[name].undo_of)
        fitted = undoing_each(flow[name], undone) if undone is not None else flow[name]
        changed += [fitted] if fitted is not flow[name] else []
    if changed:
        define(engine, changed)


def undo(engine: Engine, names: Collection[str] = (), *, on_failure: bool = False) -> None:
    """Undo what these steps, or all, have done, the newest first; or do so if the run fails."""
    state = engine.state
    check_names(state, names)
    undoers = [
        step.name for step in state.flow if step.undo_of and (not names or step.undo_of in names)
    ]
    if names and not undoers:
        raise InvalidUsage(f"nothing undoes {', '.join(names)}: %%step NAME --undo-of STEP")
    _fit_undoing(engine, undoers)
    found = {name: engine.capture(name) for name in undoers}
    for name, captured in found.items():
        engine.surroundings.keep(*captured)
        _refuse_missing(engine, name, captured[1])

    def work() -> None:
        wanted = found if on_failure else {n: found[n] for n in to_be_undone(state) if n in found}
        environments = {name: digest for name, (digest, _) in wanted.items()}
        for digest in dict.fromkeys(environments.values()):
            _record_environment(engine, digest)
        if environments:
            engine.orchestrator.record(engine.run, UndoRequested(environments, on_failure))

    engine.orchestrator.call(work)


def undo_on(engine: Engine, names: Collection[str], *, by: str) -> None:
    """Go on with undoing where that was cut off or has failed."""
    state = engine.state
    _fit_undoing(engine, names)
    found = {name: engine.capture(name) for name in names}
    for captured in found.values():
        engine.surroundings.keep(*captured)

    def work() -> None:
        environments = {name: digest for name, (digest, _) in found.items()}
        for digest in dict.fromkeys(environments.values()):
            _record_environment(engine, digest)
        cut_off = tuple(name for name in environments if name in state.unfinished)
        wish = StepsRequested(environments, by, tuple(environments), goes_on=cut_off)
        engine.orchestrator.record(engine.run, wish)

    engine.orchestrator.call(work)


def pause(engine: Engine) -> None:
    """Start nothing more until the run is continued; what runs comes to its end."""
    engine.orchestrator.call(lambda: engine.orchestrator.record(engine.run, RunPaused()))


def go_on(engine: Engine) -> None:
    """The run is no longer paused."""
    if engine.state.is_paused:
        engine.orchestrator.call(lambda: engine.orchestrator.record(engine.run, RunContinued()))


def stop(engine: Engine) -> None:
    """What runs comes to its end; what was asked for besides is no longer wanted."""

    def work() -> None:
        steps = engine.state.steps.values()
        waiting = tuple(step.name for step in steps if step.owed and step.running is None)
        if waiting:
            engine.orchestrator.record(engine.run, RunCancelled(steps=waiting))

    engine.orchestrator.call(work)


def limit(engine: Engine, rule: LimitSet) -> None:
    """So many attempts at most that share this limit, in all runs of the store."""
    engine.orchestrator.call(lambda: engine.orchestrator.record(engine.run, rule))


def forget(engine: Engine, name: str) -> None:
    """Take the step out of the flow; its history stays in the store."""
    check_names(engine.state, [name])
    writes = engine.state.flow[name].writes
    engine.orchestrator.call(
        lambda: engine.orchestrator.record(engine.run, StepForgotten(), step=name)
    )
    for output in writes:
        engine.outputs.withdraw(output)


def remember_setup(engine: Engine, source: str, *, cell: str) -> None:
    """A cell that is to run again wherever the flow is rebuilt.

    One that is known by its id keeps its place. Without an id an edited cell cannot be told
    from a new one: it comes after those there were.
    """
    refuse_secrets_in(source)
    setups = engine.state.setups
    if any(known.source == source for known in setups.values()):
        return
    order = 1 + max((known.order for known in setups.values()), default=0)
    if cell in setups:
        order = setups[cell].order
    event = SetupDefined(cell or f"setup {order}", source, order)
    engine.orchestrator.call(lambda: engine.orchestrator.record(engine.run, event))
