"""Another notebook's flow as an agent: read from its file, run on this store.

Of its cells three kinds count: the one tagged `parameters`, `%%setup` and `%%step`. Setup
cells are run once in this process, in a namespace of the notebook's own, when the agent is
first called. Nothing else in the file is executed.
"""

import ast
import asyncio
import threading
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from stepwell.agents import Definition, Parameter, Signature
from stepwell.errors import InvalidUsage
from stepwell.flow import Step
from stepwell.magics import parse_step
from stepwell.scripting import cell_step
from stepwell.workers import compile_code

__all__ = ["notebook_agent"]


def notebook_agent(path: Path, *, name: str = "", out: Sequence[str] = ()) -> Definition:
    """The agent that a notebook is. Raises `InvalidUsage`, `FlowError`."""
    name = name or _name_of(path)
    parameters: tuple[Parameter, ...] = ()
    steps: list[Step] = []
    setups: list[str] = []
    for source, tags in _cells(path):
        first, _, body = source.lstrip().partition("\n")
        if first.startswith("%%setup"):
            setups.append(body)
        elif first.startswith("%%step"):
            steps += _step(name, first.removeprefix("%%step"), body)
        elif "parameters" in tags:
            parameters = _parameters(source)
    outputs = out or tuple(written for step in steps for written in step.writes)
    signature = Signature(name, parameters, tuple(map(Parameter, outputs)))
    definition = Definition(
        signature,
        tuple(steps),
        home=_Home(path, setups),
        setting=blake2b("\0".join(setups).encode(), digest_size=16).hexdigest(),
        doc=f"the flow of {path}",
    )
    definition.check()
    return definition


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


def _step(agent: str, line: str, body: str) -> list[Step]:
    options = parse_step(line)
    if options is None or options.agent:
        # Of an agent of that notebook's own: it has no run here.
        return []
    return [replace(cell_step(options, body), flow=agent)]


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
        self._path = path
        self._setups = setups
        self._lock = threading.Lock()
        self._namespace: dict[str, object] | None = None

    def __call__(self) -> dict[str, object]:
        """Raises what a setup cell raises."""
        with self._lock:
            if self._namespace is None:
                namespace: dict[str, object] = {"__name__": "__main__"}
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
