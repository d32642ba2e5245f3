"""The same in plain Python: in a notebook beside `%%step` cells, in a module, in a script.

@stepwell.step(out="queries")
def plan(topic): ...

with stepwell.run("agent.duckdb", topic="heat pumps") as run:
    print(run["queries"])
"""

import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import update_wrapper
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar, Unpack, overload

from stepwell.arguments import PolicyArguments, policies_from
from stepwell.defining import step_from_function
from stepwell.errors import InvalidUsage, NotYetSupported, UnknownName, near_misses
from stepwell.flow import MapOver, Step, share_of
from stepwell.steering import Steering

if TYPE_CHECKING:
    from stepwell.agents import Agent

__all__ = [
    "FunctionStep",
    "Registered",
    "Run",
    "declare",
    "fork",
    "notebook",
    "register",
    "run",
    "step",
]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# What was made a step in this process, in order, by agent and name: `run` takes it from here.
_registered: "dict[tuple[str, str], Registered]" = {}

# Agents declared by a signature, whose steps are cells: a run knows those it has steps of.
_declared: "dict[str, Agent[..., Any]]" = {}

MadeStep = TypeVar("MadeStep", bound="Registered")


class Registered(Protocol):
    """Something that was made a step in this process."""

    @property
    def definition(self) -> Step:
        """The step."""
        ...

    @property
    def function(self) -> Callable[..., Any] | None:
        """What is called; None for a cell, whose code is executed."""
        ...

    @property
    def names(self) -> Mapping[str, Any]:
        """Where it stands: the names of its module."""
        ...


def register(made: MadeStep) -> MadeStep:
    """Have `run` run it, too."""
    _registered[made.definition.flow, made.definition.name] = made
    return made


def declare(agent: "Agent[..., Any]") -> None:
    """Have `run` know the agent, which `stepwell.cell("… --agent NAME")` gives steps."""
    _declared[agent.name] = agent


class FunctionStep(Generic[Parameters, Result]):
    """A function that is a step. Called directly it is just the function."""

    def __init__(self, function: Callable[Parameters, Result], definition: Step) -> None:
        update_wrapper(self, function)
        self.function = function
        self.definition = definition

    @property
    def names(self) -> Mapping[str, Any]:
        """The names of the module it stands in."""
        return self.function.__globals__

    def __call__(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        """The plain call; nothing is stored."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        reads, writes = ", ".join(self.definition.reads), ", ".join(self.definition.writes)
        return f"<step {self.definition.name}({reads}) -> {writes or 'nothing'}>"


@overload
def step(function: Callable[Parameters, Result], /) -> FunctionStep[Parameters, Result]: ...
@overload
def step(
    *,
    name: str = "",
    out: str | Sequence[str] = (),
    after: str | Sequence[str] = (),
    transient: str | Sequence[str] = (),
    always: bool = False,
    defer: bool = False,
    map: tuple[str, str] | None = None,
    key: str = "",
    max_parallel: int = 0,
    keep_going: bool = False,
    min_success: float | str = 1.0,
    **policies: Unpack[PolicyArguments],
) -> Callable[[Callable[Parameters, Result]], FunctionStep[Parameters, Result]]: ...
def step(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    out: str | Sequence[str] = (),
    after: str | Sequence[str] = (),
    transient: str | Sequence[str] = (),
    always: bool = False,
    defer: bool = False,
    map: tuple[str, str] | None = None,  # noqa: A002 - as the option of %%step is called
    key: str = "",
    max_parallel: int = 0,
    keep_going: bool = False,
    min_success: float | str = 1.0,
    **policies: Any,
) -> Any:
    """Make a function a step: its parameters are what it reads, `out` names what it returns.

    A parameter is another step's output of that name, or else a name of the notebook (in a
    script: of the function's module, or given to `run`), or else its default. With several
    names in `out` the function returns a tuple of as many values. Globals count as in cells.

    In a notebook that has loaded the extension, a function decorated in a cell is run at
    once in the background as a `%%step` cell is, unless `defer`. Anywhere else it waits for
    `stepwell.run`, or `%stepwell run`. `after` names steps to wait for although nothing of
    theirs is read; `transient` names outputs that are made again on resume instead of
    stored; `always` never reuses a result when the step is asked for.

    `map=("query", "queries")` calls the function once for each element of `queries`, as its
    parameter `query`, and gathers what it returns in order into a list; `key` is an expression
    over an element that tells it from the others, `max_parallel` how many at once. With
    `keep_going` every element is tried although some have failed; with so large a share of
    them done as `min_success` says (0.97 or "97%"), the step is done.

    `retries` says how often it is tried again after an error that is likely to pass (a
    time-out, a lost connection, a busy server), or only after those that `retry_on` names;
    `backoff` seconds before the first retry, twice as long before each further one, at most
    `max_backoff`. `timeout` is for one attempt, `total_timeout` for all of them, `stall` for
    the time between two calls of `stepwell.heartbeat()`. `when` is an expression over the
    parameters: if it is false the step is skipped, and what reads from it too, unless that
    says `even_if_skipped` and gets None.

    `approve` asks a person before the function is called: True, or a question that may name
    parameters in braces. `edit` names parameters that may be changed with it; when
    `approve_timeout` is up, `on_timeout` decides: "reject", "approve" or "fail".

    Raises `InvalidStep` for a function that cannot be one, `NotYetSupported` for an option
    of a later version, `InvalidUsage` for an unknown one.
    """
    _refuse(policies)
    over = _map_over(map, key, max_parallel, min_success, keep_going=keep_going)
    how = policies_from(policies, over)  # type: ignore[arg-type] # refused if it does not fit

    def decorate(target: Callable[..., Any]) -> FunctionStep[..., Any]:
        definition = step_from_function(
            target,
            name=name,
            out=out if isinstance(out, str) else tuple(out),
            after=_listed(after),
            transient=_listed(transient),
            always=always,
            defer=defer,
            policies=how,
        )
        made = FunctionStep(target, definition)
        register(made)
        _in_notebook(made)
        return made

    return decorate if function is None else decorate(function)


def _map_over(
    names: tuple[str, str] | None,
    key: str,
    max_parallel: int,
    min_success: float | str,
    *,
    keep_going: bool,
) -> MapOver | None:
    share = share_of(min_success, what="min_success=")
    if names is None:
        if key or max_parallel or keep_going or share != 1.0:
            raise InvalidUsage(
                "key=, max_parallel=, keep_going= and min_success= are about the elements of a "
                'mapped step: add map=("item", "items")'
            )
        return None
    if len(names) != 2 or isinstance(names, str):
        raise InvalidUsage('map= names one element and all of them: map=("item", "items")')
    if max_parallel < 0:
        raise InvalidUsage(f"max_parallel={max_parallel} is not a number of 1 or more")
    return MapOver(
        item=names[0],
        source=names[1],
        key=key,
        max_parallel=max_parallel,
        keep_going=keep_going or share != 1.0,
        min_success=share,
    )


_OPTIONS = (
    *("name out after transient always defer map key max_parallel keep_going min_success").split(),
    *PolicyArguments.__annotations__,
)
_LATER = ("on",)


def _refuse(others: Mapping[str, object]) -> None:
    for name in others:
        if name in PolicyArguments.__annotations__:
            continue
        if name in _LATER:
            raise NotYetSupported(f"{name}=")
        near = near_misses(name, [*_OPTIONS, *_LATER])
        raise InvalidUsage(f"@stepwell.step has no option {name!r}.{near}")


def _listed(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _in_notebook(made: FunctionStep[..., Any]) -> None:
    """Decorated in a cell of a notebook: run it as a cell would be."""
    if "stepwell.loading" not in sys.modules:
        return
    from stepwell.loading import current_notebook

    notebook = current_notebook()
    if notebook is None:
        return
    notebook.session.surroundings.functions[made.definition.name] = made.function
    if made.function.__module__ == "__main__":
        notebook.submit(made.definition)
    else:
        notebook.session.define([made.definition])


class Run(Steering, Mapping[str, Any]):
    """A run in this process: outputs by name, read when asked for. Close it, or use `with`.

    What `%stepwell` does with the run and its store, its methods do.
    """

    def __init__(self, session: Any, *, is_own: bool = True) -> None:
        super().__init__(session)
        self._is_own = is_own

    def __getitem__(self, name: str) -> Any:
        """An output, waiting for its step if need be. Raises `StepFailed`, `KeyError`."""
        session = self._session
        if session.state.flow.writer_of(name) is None:
            raise KeyError(name)
        session.wait_for_names([name])
        return session.namespace[name]

    def __iter__(self) -> Iterator[str]:
        return (name for step in self._session.state.flow for name in step.writes)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def add(self, steps: Sequence[Registered]) -> None:
        """Have further steps run. Raises `FlowError`, `UnknownName`; returns at once."""
        session = self._session
        for made in steps:
            if made.function is not None:
                session.surroundings.functions[made.definition.name] = made.function
        session.define([made.definition for made in steps])
        names = [made.definition.name for made in steps if _runs_by_itself(made)]
        always = [name for name in names if session.state.flow[name].always]
        session.ask(names, by="run", force=always)

    def close(self) -> None:
        """Let go of the store; a notebook keeps its own."""
        if self._is_own:
            self._session.close()

    def __repr__(self) -> str:
        """The run, step by step."""
        from time import time_ns

        from stepwell.orchestrator import run_view
        from stepwell.widgets import run_table

        session = self._session
        view = run_view(session.state, find=session.engine.find)
        return repr(run_table(view, now=time_ns() // 1000))

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def run(
    store: str | PathLike[str] | None = None,
    *,
    steps: Sequence[Registered] | None = None,
    fresh: bool = False,
    wait: bool = True,
    timeout: float | None = None,
    record: str | PathLike[str] | None = None,
    replay: str | PathLike[str] | None = None,
    clock: Any = None,
    **parameters: Any,
) -> Run:
    """Bring function steps up to date on a store, reusing what has not changed.

    `steps` defaults to every function decorated in this process. `parameters` are names
    the steps read that no step writes. `store` is a file; None keeps nothing on disk.
    `fresh` begins a new run. Waits for the end unless `wait` is false. `record` is a file in
    which durable calls are recorded; with `replay` they are answered from one. `clock` is one
    that a test moves: see `stepwell.testing`.

    Raises `NeedsPerson` when it can go no further without a person (decide with `run.decide`
    or `stepwell approve`, and call it again), `StepFailed` when a step failed (the run stays in
    the store and goes on where it stopped when called again), `FlowError`, `StoreError`,
    `WaitTimedOut`.
    """
    chosen = _chosen(steps)
    mode = "fresh" if fresh else ""
    session = _session(
        store, chosen, parameters, mode=mode, record=record, replay=replay, clock=clock
    )
    with _closed_on_error(session):
        _declare_agents(session, chosen)
        made_run = Run(session)
        made_run.add(chosen)
        if wait:
            made_run.wait(timeout=timeout)
    return made_run


def notebook() -> Run:
    """The run of the notebook that this is called in; see `%load_ext stepwell`.

    Raises `InvalidUsage` outside of one.
    """
    from stepwell.loading import current_notebook

    found = current_notebook()
    if found is None:
        raise InvalidUsage(
            "stepwell.notebook() outside a notebook that has loaded stepwell: in a script, "
            "stepwell.run(…) gives the run"
        )
    return Run(found.session, is_own=False)


def fork(
    store: str | PathLike[str],
    run: str = "",
    *,
    start: str = "",
    given: Mapping[str, Any] | None = None,
    steps: Sequence[Registered] | None = None,
    wait: bool = True,
    timeout: float | None = None,
) -> Run:
    """Begin a run with the results of another one, and have only what is changed run again.

    `run` is an id or the beginning of one; without it, the latest. `start` and every step
    that reads from it run again. `given` are other values, for names of the module that steps
    read or for outputs of steps. The other run stays as it is. `steps`, `wait` and `timeout`
    as for `run`, and so are the errors; also `UnknownRun`, `UnknownStep`.
    """
    from stepwell.session import fork as begin_fork

    chosen = _chosen(steps)
    session = _session(store, chosen, {}, mode="resume")
    with _closed_on_error(session):
        for made in chosen:
            if made.function is not None:
                session.surroundings.functions[made.definition.name] = made.function
        _declare_agents(session, chosen)
        session.define([made.definition for made in chosen])
        begin_fork(session, run or "current", start=start, given=given)
        made_run = Run(session)
        if wait:
            made_run.wait(timeout=timeout)
    return made_run


def _declare_agents(session: Any, chosen: Sequence[Registered]) -> None:
    for name in dict.fromkeys(made.definition.flow for made in chosen):
        if (agent := _declared.get(name)) is not None:
            mine = agent.definition
            session.agents.known[name] = agent
            session.define_agent(str(mine.signature), max_depth=mine.max_depth)


def _chosen(steps: Sequence[Registered] | None) -> list[Registered]:
    chosen = list(_registered.values()) if steps is None else list(steps)
    if not chosen:
        raise InvalidUsage("there is nothing to run: decorate a function with @stepwell.step(…)")
    return chosen


def _session(
    store: str | PathLike[str] | None,
    chosen: Sequence[Registered],
    parameters: Mapping[str, Any],
    *,
    mode: str,
    record: str | PathLike[str] | None = None,
    replay: str | PathLike[str] | None = None,
    clock: Any = None,
) -> Any:
    from stepwell.frontend import NoFrontend
    from stepwell.place import Place
    from stepwell.session import Session
    from stepwell.store import MemoryStore

    path = Path(store).absolute() if store is not None else Path("memory")
    return Session(
        _script_namespace(chosen, parameters),
        NoFrontend(),
        place=Place(
            None,
            path,
            mode,
            record=Path(record).absolute() if record is not None else None,
            replay=Path(replay).absolute() if replay is not None else None,
        ),
        store=MemoryStore() if store is None else None,
        clock=clock,
    )


@contextmanager
def _closed_on_error(session: Any) -> Generator[None]:
    try:
        yield
    except BaseException:
        session.close()
        raise


def _script_namespace(
    chosen: Sequence[Registered], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """What the steps' parameters are looked up in: their modules' names, then what was given."""
    names = {name for made in chosen for name in made.definition.reads}
    if any(made.function is None for made in chosen):
        # What helpers of cells read is found out when they are asked for.
        names |= {name for made in chosen for name in made.names if not _is_ours(made, name)}
    # What an agent's steps write is the agent's own affair.
    written = {
        name for made in chosen if not made.definition.flow for name in made.definition.writes
    }
    namespace: dict[str, object] = {}
    for made in chosen:
        found = made.names
        namespace.update({name: found[name] for name in names - written if name in found})
    for name in parameters:
        if name not in names:
            raise UnknownName("run", name, near_misses(name, names - written))
    namespace.update(parameters)
    return namespace


def _is_ours(made: Registered, name: str) -> bool:
    return name.startswith("__") or any(made.names[name] is it for it in _registered.values())


def _runs_by_itself(made: Registered) -> bool:
    """A cell that is deferred runs when somebody reads from it; one that undoes, when asked."""
    definition = made.definition
    is_waiting = made.function is None and definition.defer
    return not (is_waiting or definition.undo_of or definition.flow)
