"""Another notebook's flow as an agent: read from its file, run on this store.

Of its cells four kinds count: the one tagged `parameters`, `%%setup`, `%%step`, and lines with
`%agent`. Setup cells are run once in this process, in a namespace of the notebook's own, when
the agent is first called. Nothing else in the file is executed. The agents it declares are
names of that namespace and of no other.
"""

import ast
import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from stepwell.agents import MAX_DEPTH, Agent, Definition, Parameter, Signature, parse_signature
from stepwell.errors import InvalidUsage
from stepwell.flow import Step
from stepwell.magics import parse_agent, parse_step
from stepwell.scripting import cell_step
from stepwell.workers import compile_code

__all__ = ["notebook_agent"]


def notebook_agent(path: Path, *, name: str = "", out: Sequence[str] = ()) -> Definition:
    """The agent that a notebook is. Raises `InvalidUsage`, `FlowError`."""
    name = name or _name_of(path)
    found = _Cells(path, name)
    for source, tags in _cells(path):
        found.read(source, tags)
    found.check()
    steps = found.steps[name]
    outputs = out or tuple(written for step in steps for written in step.writes)
    signature = Signature(name, found.parameters, tuple(map(Parameter, outputs)))
    home = _Home(path, found.setups)
    make = partial(_definition, found, home=home)
    for local, (said, depth) in found.agents.items():
        home.agents[local] = Agent(make(said, max_depth=depth, shares=found.shared))
    definition = make(signature, doc=f"the flow of {path}")
    definition.check()
    return definition


def _definition(
    found: "_Cells", signature: Signature, *, home: "_Home", **fields: Any
) -> Definition:
    steps = tuple(found.steps.get(signature.name, ()))
    return Definition(signature, steps, home=home, setting=found.setting, **fields)


@dataclass
class _Cells:
    """What has been found in the notebook so far."""

    path: Path
    name: str
    parameters: tuple[Parameter, ...] = ()
    setups: list[str] = field(default_factory=list[str])
    steps: dict[str, list[Step]] = field(default_factory=dict[str, list[Step]])
    """By the agent whose they are; the notebook's own under its name."""
    agents: dict[str, tuple[Signature, int]] = field(
        default_factory=dict[str, tuple[Signature, int]]
    )
    """Those the notebook declares, each with how deep it may be called."""

    def read(self, source: str, tags: Sequence[str]) -> None:
        """One more cell."""
        first, _, body = source.lstrip().partition("\n")
        if first.startswith("%%setup"):
            self.setups.append(body)
        elif first.startswith("%%step"):
            self._step(first.removeprefix("%%step"), body)
        elif "parameters" in tags:
            self.parameters = _parameters(source)
        elif not first.startswith("%%"):
            lines = source.splitlines()
            for line in (line for line in lines if line.startswith("%agent ")):
                self._agent(line.removeprefix("%agent"))

    def _step(self, line: str, body: str) -> None:
        options = parse_step(line)
        if options is not None:
            flow = options.agent or self.name
            self.steps.setdefault(flow, []).append(replace(cell_step(options, body), flow=flow))

    def _agent(self, line: str) -> None:
        said = parse_agent(line)
        if said is not None:
            signature = parse_signature(said[0])
            self.agents[signature.name] = signature, said[1] or MAX_DEPTH

    def check(self) -> None:
        """Raises `InvalidUsage` for a notebook that is no agent; says what its steps read."""
        if self.name in self.agents:
            raise InvalidUsage(
                f"{self.path} declares an agent {self.name!r}, which is its own name here; give "
                f"it another: stepwell.agent({str(self.path)!r}, name=…)"
            )
        for flow in self.steps:
            if flow != self.name and flow not in self.agents:
                raise InvalidUsage(
                    f"{self.path}: step {self.steps[flow][0].name!r} belongs to an agent {flow!r} "
                    f"that no %agent line of the notebook declares"
                )
        if self.name not in self.steps:
            mine = f"; its agents are {', '.join(self.agents)}" if self.agents else ""
            raise InvalidUsage(f"{self.path} has no %%step cells of its own{mine}")
        self._read_for_agents()

    def _read_for_agents(self) -> None:
        """A step reads what the agents that it calls find of the notebook: its parameters, and
        what its own steps make. So they have it, at whatever depth."""
        is_more = True
        while is_more:
            is_more = False
            for flow, steps in self.steps.items():
                for at, step in enumerate(steps):
                    new = [it for it in self._read_below(flow, step) if it not in step.reads]
                    if new:
                        is_more = True
                        steps[at] = replace(step, reads=(*step.reads, *new))

    def _read_below(self, flow: str, step: Step) -> Iterator[str]:
        own = {name for it in self.steps[flow] for name in it.writes} if flow != self.name else ()
        for called in self.agents.keys() & set(step.reads):
            signature = self.agents[called][0]
            around = Definition(signature, tuple(self.steps.get(called, ()))).around
            yield from (it for it in around if it in self.shared and it not in own)

    @property
    def shared(self) -> tuple[str, ...]:
        """What the notebook's agents find of its flow."""
        made = [name for step in self.steps[self.name] for name in step.writes]
        return *(parameter.name for parameter in self.parameters), *made

    @property
    def setting(self) -> str:
        """Differs when anything in the notebook does that its agents are made of."""
        parts = list(self.setups)
        for name, (signature, depth) in self.agents.items():
            parts += [str(signature), str(depth)]
            parts += [f"{it.name} {it.digest}" for it in self.steps.get(name, ())]
        return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def _name_of(path: Path) -> str:
    name = "".join(letter if letter.isalnum() else "_" for letter in path.stem)
    return name if name.isidentifier() else f"notebook_{name}"


def _cells(path: Path) -> list[tuple[str, list[str]]]:
    import nbformat

    # nbformat's functions carry no types.
    format_: Any = nbformat
    try:
        notebook = format_.read(path, as_version=4)
    except OSError as error:
        raise InvalidUsage(f"there is no notebook at {path}: {error.strerror}") from error
    except Exception as error:
        raise InvalidUsage(f"{path} is no notebook that can be read: {error}") from error
    return [
        (cell.source, list(cell.metadata.get("tags", [])))
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def _parameters(source: str) -> tuple[Parameter, ...]:
    """What the cell assigns at its top level, each with its value as the default."""
    found: dict[str, Parameter] = {}
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = Parameter(name, "", ast.unparse(value))
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kind, value=value):
                default = ast.unparse(value) if value is not None else None
                found[name] = Parameter(name, ast.unparse(kind), default)
            case _:
                pass
    return tuple(found.values())


class _Home:
    """The names that the notebook's steps find around them, made by its setup cells, once."""

    def __init__(self, path: Path, setups: Sequence[str]) -> None:
        self.agents: dict[str, Agent[..., Any]] = {}
        """The notebook's own."""
        self._path = path
        self._setups = setups
        self._lock = threading.Lock()
        self._namespace: dict[str, object] | None = None

    def __call__(self) -> dict[str, object]:
        """Raises what a setup cell raises."""
        with self._lock:
            if self._namespace is None:
                namespace: dict[str, object] = {"__name__": "__main__", **self.agents}
                for number, source in enumerate(self._setups, start=1):
                    self._run(f"{self._path.name} {number}", source, namespace)
                self._namespace = namespace
            return self._namespace

    @staticmethod
    def _run(name: str, source: str, namespace: dict[str, object]) -> None:
        compiled = compile_code(f"setup {name}", source)
        result: Any = eval(compiled.code, namespace)
        if compiled.is_async:
            _in_thread(lambda: asyncio.run(result))


def _in_thread(work: Callable[[], object]) -> None:
    """On a thread of its own, where no loop runs yet. Raises what it raises."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="stepwell-setup", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
