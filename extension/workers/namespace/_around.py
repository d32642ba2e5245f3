"""What a function finds around it where it stands: its globals, closure and defaults.

Such a function runs where it was defined: nothing is built for it, and what is found out
here is compared only. So everything counts by value, be it that a step writes the name too.
"""

import ast
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import CellType, CodeType, FunctionType
from typing import Any

import msgspec

from stepwell.flow import Binding, BindingKind, Environment, syntax_tree
from stepwell.store.values import Signer, type_name
from stepwell.workers.namespace._capture import Captured, Opaque, capture, scope_of
from stepwell.workers.namespace._code import code_facts
from stepwell.workers.namespace._describe import names_of, told
from stepwell.workers.namespace._digest import combined
from stepwell.workers.namespace._functions import is_foreign
from stepwell.workers.namespace._kinds import ATOMS, is_dunder, module_of, wrapped_by
from stepwell.workers.namespace._modules import Origin, origin_of
from stepwell.workers.namespace._touched import touched
from stepwell.workers.namespace._uses import global_names

__all__ = ["Around", "around", "capture_around", "carried_over", "joined"]

MOST_LAYERS = 20
MOST_KNOWN = 10_000

_Key = tuple[object, ...]


@dataclass(slots=True, eq=False)
class Around:
    """What is to be looked at for one function."""

    namespace: Mapping[str, object]
    """Where names without a module are looked up."""
    source: str
    keys: list[str] = field(default_factory=list[str])
    own: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    """Values that are in no module, by the first part of their key and the rest of it."""

    @property
    def likeness(self) -> _Key:
        """Equal for functions that find the same, as long as nothing is executed."""
        if self.own:
            return (self,)
        names = self.namespace
        values = [names[key] for key in self.keys if key in names]
        # Plain values are looked at by themselves, wherever they are; all else is followed.
        is_plain = len(values) == len(self.keys) and ATOMS.issuperset(map(type, values))
        where = tuple(map(id, values)) if is_plain else (id(names),)
        return *self.keys, where, self.source and touched(self.source)

    def add(self, scope: str, name: str, value: object) -> None:
        """Look at a value that has no name where others could find it."""
        self.own.setdefault(scope, {})[name] = value
        self.keys.append(f"{scope}.{name}")


def around(
    function: Callable[..., object],
    namespace: Mapping[str, object],
    *,
    source: str = "",
    given: Collection[str] = (),
) -> Around:
    """What a function reads that is no parameter of it; `given` are parameters with a value.

    `namespace` is the notebook's, or what a script's steps get their parameters from. The
    code of decorators, and what they were given, counts as well.
    """
    layers = list(_layers(function))
    core = layers[-1]
    if not isinstance(core, FunctionType):
        return Around(namespace, source)
    found = Around(_home(core, namespace), source)
    for layer in layers:
        if isinstance(layer, FunctionType):
            _add_closure(found, layer, layers)
            if layer is not core or is_foreign(core, found.namespace):
                found.add(_scope(layer), layer.__code__.co_name, _code_alone(layer))
    if not is_foreign(core, found.namespace):
        prefix = "" if core.__globals__ is found.namespace else f"{module_of(core)}."
        names = code_facts(core.__code__).uses if source else _names(core.__code__)
        found.keys += [prefix + name for name in told(names, core.__globals__)]
    _add_defaults(found, core, given)
    return found


def _layers(function: Any) -> Iterator[Any]:
    """The function, what it wraps, and so on: the one with the step's own code is the last."""
    for _ in range(MOST_LAYERS):
        yield function
        function = wrapped_by(function)
        if function is None:
            return


def _home(function: FunctionType, namespace: Mapping[str, object]) -> Mapping[str, object]:
    names = function.__globals__
    module = module_of(function)
    if origin_of(module) is Origin.NOTEBOOK or module is None or names_of(module) is not names:
        return names
    # A closure of it may be the notebook's, or a script's.
    return namespace if namespace.get("__name__") == "__main__" else names_of("__main__")


def _scope(function: FunctionType) -> str:
    return function.__code__.co_qualname.rpartition(".")[0] or str(module_of(function))


def _add_closure(found: Around, function: FunctionType, layers: list[Any]) -> None:
    if not function.__closure__:
        return
    for name, cell in zip(function.__code__.co_freevars, function.__closure__, strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # not filled yet
            continue
        if not is_dunder(name) and not any(value is layer for layer in layers):
            found.add(_scope(function), name, value)


def _code_alone(function: FunctionType) -> FunctionType:
    """Without what it wraps and holds: that is looked at by itself."""
    cells = tuple(CellType() for _ in function.__closure__ or ())
    return FunctionType(
        function.__code__, function.__globals__, function.__name__, None, cells or None
    )


def _add_defaults(found: Around, function: FunctionType, given: Collection[str]) -> None:
    if not function.__defaults__ and not function.__kwdefaults__:
        return
    code, defaults = function.__code__, function.__defaults__ or ()
    positional = code.co_varnames[: code.co_argcount]
    values = dict(zip(positional[len(positional) - len(defaults) :], defaults, strict=True))
    values.update(function.__kwdefaults__ or {})
    written_out = _written_out(found.source)
    for name, value in values.items():
        if name not in given and name not in written_out:
            found.add(code.co_qualname, name, value)


@lru_cache(2048)
def _written_out(source: str) -> frozenset[str]:
    """Parameters whose defaults are literals: those are the code's own."""
    try:
        node = syntax_tree(source).body[0]
    except (SyntaxError, ValueError, IndexError):
        return frozenset()
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return frozenset()
    positional = [*node.args.posonlyargs, *node.args.args]
    pairs = [
        *zip(reversed(positional), reversed(node.args.defaults), strict=False),
        *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True),
    ]
    return frozenset(one.arg for one, default in pairs if isinstance(default, ast.Constant))


# Functions made by the thousand differ in their constants only.
_known_names: dict[_Key, tuple[str, ...]] = {}


def _names(code: CodeType) -> tuple[str, ...]:
    if not code.co_names and not any(isinstance(it, CodeType) for it in code.co_consts):
        return ()
    nested = tuple(it for it in code.co_consts if isinstance(it, CodeType))
    key = (code.co_code, code.co_names, nested)
    known = _known_names.get(key)
    if known is None:
        if len(_known_names) > MOST_KNOWN:
            _known_names.clear()
        known = _known_names[key] = global_names(code)
    return known


def capture_around(found: Around, *, signer: Signer | None = None) -> Captured:
    """The environment that a function finds there, followed through what it calls."""
    captured = capture(
        found.keys, found.namespace, is_input=lambda _: False, signer=signer, own=found.own
    )
    changed = set[str]()
    for key, binding in captured.bindings.items():
        if binding.kind is BindingKind.FUNCTION:
            scope, dot, _ = key.rpartition(".")
            changed |= {scope + dot + name for name in touched(binding.detail)}
    own = touched(found.source)
    changed |= {key for key in found.keys if key.rpartition(".")[2] in own}
    for key in changed & captured.bindings.keys():
        _count_by_type(captured, found, key)
    return captured


def _count_by_type(captured: Captured, found: Around, key: str) -> None:
    """What the code itself changes would be another with each run, and never up to date."""
    if captured.bindings[key].kind is BindingKind.VALUE:
        scope = scope_of(key, found.namespace, found.own)
        kind = type_name(scope.get(key.rpartition(".")[2]))
        captured.bindings[key] = Binding(BindingKind.OPAQUE, combined("opaque", kind), kind)
        captured.opaque[key] = Opaque(kind)


def joined(
    captured: Captured,
    further: Captured,
    *,
    is_output: Callable[[str], bool] = lambda _: False,
) -> Captured:
    """A function step's environment: its parameters', and what it finds where it stands.

    Of a name that means one thing as a parameter, or as a step's output, and another as a
    global, the latter is called `__main__.name`.
    """
    mine = captured.bindings
    apart = {
        key: f"__main__.{key}"
        for key, it in further.bindings.items()
        if "." not in key and (is_output(key) or (key in mine and mine[key] != it))
    }
    bindings = {apart.get(key, key): it for key, it in further.bindings.items()}
    if apart:
        bindings = {key: _with_names(it, apart) for key, it in bindings.items()}
    return replace(
        captured,
        bindings={**bindings, **mine},
        blobs={
            **{key: it for key, it in further.blobs.items() if key not in apart},
            **captured.blobs,
        },
        opaque={
            **{apart.get(key, key): it for key, it in further.opaque.items()},
            **captured.opaque,
        },
        plan=None,
    )


def _with_names(binding: Binding, names: Mapping[str, str]) -> Binding:
    uses = tuple(names.get(name, name) for name in binding.uses)
    return msgspec.structs.replace(binding, uses=uses)


def carried_over(captured: Captured, last: Environment) -> Captured:
    """With what the function found the last time, where it is not there to be asked."""
    return replace(captured, bindings={**last, **captured.bindings}, plan=None)
