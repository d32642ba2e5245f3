"""The callable that stands for an agent, in steps and in cells."""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from hashlib import blake2b
from types import SimpleNamespace
from typing import Any, Generic, ParamSpec, TypeVar

from stepwell.agents._checking import check_arguments, check_results
from stepwell.agents._definition import Definition, version_of
from stepwell.agents._nursery import Prepared, nursery_here
from stepwell.errors import AgentFailed, InvalidUsage
from stepwell.inside import Inside, inside
from stepwell.orchestrator import Birth, Call, ChildLeft, Output, RunStarted
from stepwell.store import Blob

__all__ = ["Agent", "Results", "set_cell_caller"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

CellCaller = Callable[["Agent[..., Any]", tuple[Any, ...], dict[str, Any]], Awaitable[Any]]

_call_from_cell: CellCaller | None = None


def set_cell_caller(caller: CellCaller | None) -> None:
    """Say what `await agent(…)` does outside of steps: in a notebook's ordinary cells."""
    global _call_from_cell  # noqa: PLW0603 - one process, one notebook
    _call_from_cell = caller


class Results(SimpleNamespace):
    """What an agent with several outputs gives: each under its name, and in order."""

    def __iter__(self) -> Iterator[Any]:
        return iter(vars(self).values())


class Agent(Generic[Parameters, Result]):
    """An agent. Calling it inside a step starts a durable run of its own; await its result.

    The same call (the same agent, parameters and how-many-th such call in the step) has one
    run: when the step runs again it is answered from the store, or goes on where it stopped.
    Is the agent edited meanwhile, the run goes on with what has changed.
    """

    definition: Definition
    __stepwell_remembers__ = True

    def __init__(self, definition: Definition) -> None:
        self.become(definition)

    def become(self, definition: Definition) -> None:
        """It is declared so from now on: for who declares it, in a notebook's cells."""
        self.definition = definition
        self.__doc__ = definition.doc or str(definition.signature)

    @property
    def name(self) -> str:
        """As it is declared."""
        return self.definition.name

    def __repr__(self) -> str:
        return f"<agent {self.definition.signature}: {len(self.definition.steps)} steps>"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(
            f"an agent ({self.name}) is no value that can be stored; its runs are. Name it where "
            f"it is called"
        )

    def __stepwell_parts__(self) -> tuple[list[str], list[str], list[object]]:
        """What a step that calls it depends on: marks of it, names it uses, and functions."""
        mine = self.definition
        uses = mine.around if mine.home is None else ()
        marks = ["agent", version_of(mine, ())]
        return marks, [*uses, *mine.signature.uses], list(mine.functions.values())

    def __call__(
        self, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Coroutine[Any, Any, Result]:
        """Start a run and wait for it. Raises `InvalidArguments`, `AgentFailed`, `AgentTooDeep`."""
        return self._called(args, kwargs)

    async def _called(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        here = inside.get()
        if here is not None:
            request = _Request(self, here, args, kwargs)
            return request.result(await request.waited_for())
        if _call_from_cell is None:
            raise InvalidUsage(
                f"agent {self.name!r} runs inside a step, or in a notebook that has loaded "
                f"stepwell. Put the call below a %%step line, or into a function step"
            )
        return await _call_from_cell(self, args, kwargs)

    def run(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        """The same for a step's code without `await`: returns the result when it is there."""
        here = inside.get()
        if here is None:
            raise InvalidUsage(f"{self.name}.run() is for steps; in a cell: await {self.name}(…)")
        request = _Request(self, here, args, kwargs)
        what = f"{self.name}(…)"
        if not request.is_answered:
            here.blocked(request.begin(), what=what)
        answer: Result = request.result(here.blocked(request.end(), what=what))
        return answer


class _Request:
    """One call of an agent from inside a step."""

    def __init__(
        self, agent: "Agent[..., Any]", here: Inside, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._here = here
        around = nursery_here(agent.name)
        self._definition = around.pinned(agent.definition)
        self._definition.check()
        self._scope = around.scope(self._definition)
        values = check_arguments(self._definition.signature, args, kwargs, self._scope)
        step = here.attempt.id.step
        encoded = {
            name: here.values.encode(step, f"{agent.name}({name}=…)", value)
            for name, value in values.items()
        }
        parameters = {name: output for name, (output, _) in encoded.items()}
        blobs = [blob for _, blob in encoded.values()]
        prepared = around.prepare(self._definition)
        self._birth = birth_of(self._definition, parameters, blobs, prepared)
        self._key = here.call_key(f"{agent.name}({arguments_digest(parameters)})")

    @property
    def is_answered(self) -> bool:
        """Whether an earlier attempt has been given a result that still holds."""
        known = self._here.remembered(self._key)
        return (
            known is not None
            and known.is_closed
            and known.status == "completed"
            and known.version == self._birth.version
            and not known.goes_on
        )

    def begin(self) -> "Future[None]":
        """Have a run for it."""
        here = self._here
        return here.link.begin(here.attempt.id, self._key, self._birth)

    async def waited_for(self) -> Call:
        """Have a run for it, and wait. Who ceases to wait, on the way, has it cancelled."""
        here = self._here
        try:
            if not self.is_answered:
                await here.awaited(self.begin())
            return await here.awaited(self.end())
        except CancelledError:
            # The end of the attempt, or of the process, ceases nothing: the next one takes it up.
            if not here.pulse.is_given_up:
                here.note(ChildLeft(self._key))
            raise

    def end(self) -> "Future[Call]":
        """What came of it."""
        return self._here.closed(self._key)

    def result(self, call: Call) -> Any:
        """The value, or the values by name. Raises `AgentFailed`, `InvalidArguments`."""
        return result_of(self._definition, call, self._here.values.load, self._scope)


def arguments_digest(parameters: Mapping[str, Output]) -> str:
    """Equal for equal arguments."""
    pairs = (f"{name}={output.digest}" for name, output in sorted(parameters.items()))
    return blake2b("\0".join(pairs).encode(), digest_size=8).hexdigest()


def birth_of(
    definition: Definition,
    parameters: Mapping[str, Output],
    blobs: Sequence[Blob],
    prepared: Prepared,
) -> Birth:
    """What the orchestrator needs to begin the run."""
    shown = ", ".join(f"{name}={output.preview}" for name, output in parameters.items())
    outputs = tuple(output.name for output in definition.signature.outputs)
    inputs = {**prepared.inputs, **parameters}
    found = [*prepared.environment_of.values()]
    found += [f"{name}={output.digest}" for name, output in sorted(prepared.inputs.items())]
    return Birth(
        RunStarted(flow=definition.name, parameters=inputs, outputs=outputs),
        version_of(definition, found),
        definition.steps,
        prepared.environment_of,
        prepared.environments,
        blobs,
        shown,
        definition.max_depth,
    )


def result_of(
    definition: Definition,
    call: Call,
    load: Callable[[str], object],
    scope: Mapping[str, object],
) -> Any:
    """What the run came to. Raises `AgentFailed`, and `InvalidArguments` for a wrong result."""
    name = definition.name
    if call.status != "completed":
        what = "was cancelled"
        failure = call.error.failure if call.error is not None else None
        if call.error is not None:
            first = next(iter(call.error.message.strip().splitlines()), "")
            said = ": ".join(part for part in (call.error.type, first) if part)
            what = f"failed at its step {call.failed!r}: {said}"
        raise AgentFailed(name, call.subject, what, failure)
    loaded = {key: load(output.digest) for key, output in call.outputs.items()}
    values = check_results(definition.signature, loaded, scope)
    if len(values) == 1:
        return next(iter(values.values()))
    return Results(**values) if values else None
