"""`export`: a notebook's flow as a plain `.py`, on the same store, with the same digests.

What a script cannot have is told rather than left out: a value that has no spelling in
Python is read from the store, a helper that has no source is named in a comment.
"""

import ast
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from keyword import iskeyword
from pathlib import Path

from stepwell.agents import MAX_DEPTH, parse_signature
from stepwell.errors import InvalidUsage, StepwellError, ValueProblem
from stepwell.flow import Binding, BindingKind, Flow, Step, analyse
from stepwell.magics import parse_step
from stepwell.orchestrator import AgentDefined, State
from stepwell.place import Place
from stepwell.scripting import body_of, cell_step, indented
from stepwell.store import Digest, Store
from stepwell.store.values import digest_value
from stepwell.widgets import View, store_table
from stepwell.workers import Values
from stepwell.workers.namespace import source_of

__all__ = ["Script", "default_file", "export", "export_to"]

_LONGEST_LITERAL = 2_000
_MARK = "Written by stepwell export."


@dataclass(slots=True)
class Script:
    """A script, part by part, and what people should know about it."""

    imports: list[str] = field(default_factory=list[str])
    setups: list[str] = field(default_factory=list[str])
    constants: list[str] = field(default_factory=list[str])
    helpers: list[str] = field(default_factory=list[str])
    stored: list[str] = field(default_factory=list[str])
    steps: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    functions: set[str] = field(default_factory=set[str])
    """Names of the functions that carry cells."""

    def text(self, title: str, store: str) -> str:
        """The whole file."""
        parts = [
            "\n".join(
                [
                    f'"""{title}"""',
                    "",
                    *sorted({"from pathlib import Path", *self.imports}),
                    "",
                    "import stepwell",
                    "",
                    f"STORE = {store}",
                ]
            ),
            *self.setups,
            "\n".join(self.constants),
            *self.helpers,
            self._stored(),
            *self.steps,
            _MAIN,
        ]
        return "\n\n\n".join(part for part in parts if part) + "\n"

    def _stored(self) -> str:
        if not self.stored:
            return ""
        return "\n    ".join(["with stepwell.open(STORE) as _store:", *self.stored])


_MAIN = """if __name__ == "__main__":
    with stepwell.run(STORE) as run:
        print(run)"""


def export(state: State, store: Store, values: Values) -> Script:
    """The run's steps as a script. Raises `InvalidUsage` for a run without steps."""
    if not (state.flow or state.declared):
        raise InvalidUsage("there is nothing to export: no cell has been made a step yet")
    script = Script()
    taken = _setups(state, script)
    bindings, kept = _surroundings(state, script)
    around = {name: it for name, it in bindings.items() if name not in state.declared}
    wanted = {name: it for name, it in around.items() if name not in taken and "." not in name}
    _helpers(wanted, kept, store, script)
    _values(wanted, kept, values, script)
    names = {*bindings, *taken, *state.declared}
    for declared in state.declared.values():
        _agent(declared, state.agents.get(declared.name), names, script)
    for definition in state.flow:
        inputs = [it for it in definition.reads if state.flow.writer_of(it) is not None]
        script.steps.append(_step(definition, inputs, names, script))
    return script


# -- what is around the steps ---------------------------------------------------------------


def _setups(state: State, script: Script) -> set[str]:
    """The setup cells as they are; the names they bind."""
    names: set[str] = set()
    for setup in sorted(state.setups.values(), key=lambda it: it.order):
        lines = setup.source.strip("\n").splitlines()
        # A script has no magics; what they did is left to see.
        text = "\n".join(f"# {it}" if it.lstrip()[:1] in ("%", "!") else it for it in lines)
        try:
            names.update(analyse(text).binds)
        except StepwellError as error:
            script.notes.append(f"a setup cell is no plain Python and is a comment now: {error}")
            text = "\n".join(f"# {line}" for line in lines)
        script.setups.append(text)
    return names


def _surroundings(state: State, script: Script) -> tuple[dict[str, Binding], dict[str, str]]:
    """What the steps found around them, the newest of each name; where it is stored."""
    bindings: dict[str, Binding] = {}
    kept: dict[str, str] = {}
    older: set[str] = set()
    for step in sorted(state.steps.values(), key=lambda it: it.since, reverse=True):
        result = step.checkpoint
        known = state.environments.get(result.environment if result else step.environment)
        for name, binding in (known.bindings if known else {}).items():
            if bindings.setdefault(name, binding).digest != binding.digest:
                older.add(name)
        for name, digest in (known.values if known else {}).items():
            kept.setdefault(name, digest)
    for name in sorted(older):
        script.notes.append(f"{name} has had several values; the script has the last one")
    return bindings, kept


def _helpers(
    bindings: Mapping[str, Binding], kept: Mapping[str, str], store: Store, script: Script
) -> None:
    for name in _ordered(bindings):
        binding = bindings[name]
        if binding.kind in (BindingKind.VALUE, BindingKind.OPAQUE):
            continue
        try:
            text = source_of(name, store.blob(Digest(kept[name])))
        except (KeyError, ValueProblem):
            text = None
        if text is None:
            script.notes.append(f"{name} has no source of its own; it has to be written by hand")
            script.helpers.append(
                f"# {name}: has no source of its own\n{_commented(binding.detail)}"
            )
        elif binding.kind is BindingKind.MODULE or text.startswith(("import ", "from ")):
            script.imports.append(text)
        else:
            script.helpers.append(text)


def _ordered(bindings: Mapping[str, Binding]) -> Iterator[str]:
    """Names, each after those that it uses, as far as that goes."""
    seen: set[str] = set()

    def visit(name: str) -> Iterator[str]:
        if name in seen or name not in bindings:
            return
        seen.add(name)
        for used in bindings[name].uses:
            yield from visit(used)
        yield name

    for name in sorted(bindings):
        yield from visit(name)


def _commented(text: str) -> str:
    return "\n".join(f"# {line}" for line in text.splitlines())


def _values(
    bindings: Mapping[str, Binding], kept: Mapping[str, str], values: Values, script: Script
) -> None:
    for name, binding in sorted(bindings.items()):
        if binding.kind not in (BindingKind.VALUE, BindingKind.OPAQUE):
            continue
        digest = kept.get(name, "")
        if not digest:
            script.notes.append(f"{name} ({binding.detail}) was not stored; make it in the script")
            script.constants.append(f"# {name} = …  # {_line(binding.detail)}: was not stored")
        elif (spelt := _spelt(values, digest)) is not None:
            script.constants.append(f"{name} = {spelt}")
        else:
            script.stored.append(f'{name} = _store.value("{digest}")  # {_line(binding.detail)}')


def _spelt(values: Values, digest: str) -> str | None:
    """The value as Python, if that is the very same value again."""
    try:
        value = values.load(digest)
        text = repr(value)
        if len(text) > _LONGEST_LITERAL:
            return None
        same = digest_value(ast.literal_eval(text)) == digest
    except (StepwellError, ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return text if same else None


def _line(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 60 else f"{words[:59]}…"


# -- the steps --------------------------------------------------------------------------------


def _agent(declared: AgentDefined, flow: Flow | None, names: Iterable[str], script: Script) -> None:
    """Its declaration, and its steps below it."""
    depth = f", max_depth={declared.max_depth}" if declared.max_depth != MAX_DEPTH else ""
    text = f"{declared.name} = stepwell.agent({_double_quoted(declared.signature)}{depth})"
    script.steps.append(text)
    given = {it.name for it in parse_signature(declared.signature).parameters}
    for definition in flow or ():
        inputs = [
            it
            for it in definition.reads
            if it in given or (flow is not None and flow.writer_of(it) is not None)
        ]
        script.steps.append(_step(definition, inputs, names, script))


def _step(definition: Step, inputs: Sequence[str], names: Iterable[str], script: Script) -> str:
    if definition.kind == "function":
        return _function_step(definition, script)
    line = definition.line or _line_of(definition)
    taken = {*names, *script.functions, "stepwell", "STORE", "Path"}
    name = _function_name(definition.name, {*taken, *definition.reads})
    text = _as_function(definition, line, inputs, name)
    if text is None:
        text = f"stepwell.cell(\n    {line!r},\n    {_quoted(definition.source)},\n)"
    else:
        script.functions.add(name)
    if "get_ipython()" in definition.code:
        script.notes.append(
            f"step {definition.name!r} uses IPython's own commands: run the script with ipython"
        )
    return text


def _line_of(definition: Step) -> str:
    """For a step whose line was not kept: what can be told from the step itself."""
    words = [definition.name]
    for option, names in (("--after", definition.after), ("--transient", definition.transient)):
        words += [option, ",".join(names)] if names else []
    for option, is_set in (("--defer", definition.defer), ("--always", definition.always)):
        words += [option] if is_set else []
    return " ".join(words)


def _function_step(definition: Step, script: Script) -> str:
    if definition.module:
        script.imports.append(f"import {definition.module}  # has step {definition.name}")
        return ""
    return definition.source.strip("\n")


def _as_function(definition: Step, line: str, inputs: Sequence[str], name: str) -> str | None:
    """The cell as a function that has the same digest again; None if there is no such one."""
    options = parse_step(line)
    if options is None or options.name != definition.name:
        return None
    source = definition.source.strip("\n")
    word = "async def" if definition.is_async else "def"
    returns = f"\n    return {', '.join(definition.writes)}" if definition.writes else ""
    text = f"{word} {name}({', '.join(inputs)}):\n{indented(source)}{returns}"
    try:
        compile(text, "<export>", "exec", dont_inherit=True)
        again = cell_step(options, body_of(text))
    except (SyntaxError, ValueError, StepwellError):
        return None
    if again.digest != definition.digest:
        return None
    return f"@stepwell.cell({_double_quoted(line)})\n{text}"


def _function_name(step: str, taken: set[str]) -> str:
    name = "".join(it if it.isalnum() else "_" for it in step)
    while name in taken or iskeyword(name) or not name.isidentifier():
        name += "_step"
    return name


def _double_quoted(line: str) -> str:
    return repr(line) if '"' in line or "\\" in line else f'"{line}"'


def _quoted(source: str) -> str:
    text = source.strip("\n").replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""\n{text}\n"""'


# -- into a file ------------------------------------------------------------------------------


def default_file(place: Place) -> Path:
    """Beside the notebook, under its name."""
    return place.notebook.with_suffix(".py") if place.notebook else Path.cwd() / "agent.py"


def export_to(
    file: Path, state: State, store: Store, values: Values, notebook: Path | None = None
) -> View:
    """Write the script; what it holds, and what to know about it.

    Raises `InvalidUsage` for a file that is there and that `export` has not written.
    """
    file = file.absolute()
    _check_free(file)
    script = export(state, store, values)
    origin = notebook.name if notebook is not None else f"run {state.run}"
    text = script.text(f"The steps of {origin}. {_MARK}", _store_spelt(store.path, file))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    facts: dict[str, object] = {
        "script": str(file),
        "steps": sum(map(len, (state.flow, *state.agents.values()))),
    }
    facts["run it"] = f"python {file.name}"
    return store_table(facts, note="\n".join(script.notes))


def _check_free(file: Path) -> None:
    if file.is_dir() or (file.exists() and _MARK not in file.read_text("utf-8", "replace")[:2_000]):
        raise InvalidUsage(
            f"{file} is there already, and was not written by export. Name another file: "
            "%stepwell export FILE"
        )


def _store_spelt(store: Path | None, file: Path) -> str:
    """Where the store is, as the script says it: seen from the script, wherever both are moved."""
    if store is None:
        return "None  # it was in memory"
    relative = Path(os.path.relpath(store, file.parent)).as_posix()
    return f'Path(__file__).parent / "{relative}"'
