"""Names of an environment, back in a namespace that does not have them yet."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from stepwell.errors import StepwellError
from stepwell.flow import Binding, BindingKind
from stepwell.store import Blob
from stepwell.store.values import Trust, decode
from stepwell.workers.namespace._describe import Describer
from stepwell.workers.namespace._pickle import unpickled
from stepwell.workers.namespace._rebind import bind_methods
from stepwell.workers.namespace._recipe import Alias, Define, Import, Recipe, Unpickle, read_recipe
from stepwell.workers.namespace._source import register
from stepwell.workers.namespace._uses import FUTURE_FLAGS, defined_with

__all__ = ["Restored", "restore"]

_VALUES = (BindingKind.VALUE, BindingKind.OPAQUE)
_UNTRUSTED = Trust()


@dataclass(slots=True)
class Restored:
    """What became of the names."""

    names: list[str] = field(default_factory=list[str])
    """Brought back, in the order they were made."""
    kept: list[str] = field(default_factory=list[str])
    """Left as they were, because the namespace had them."""
    failures: dict[str, str] = field(default_factory=dict[str, str])
    """Not brought back, each with the reason."""


def restore(
    bindings: Mapping[str, Binding],
    blobs: Mapping[str, Blob],
    namespace: dict[str, Any],
    *,
    trust: Trust = _UNTRUSTED,
    overwrite: bool = False,
) -> Restored:
    """Bring back what `capture` found, so that capturing it again gives the same digests.

    Values are decoded, modules imported, functions and classes defined again from their
    source; then each function and class is compared with what was captured. One that came
    out differently is taken back and told among the failures. Names the namespace has are
    left alone unless `overwrite`. Never raises for a single name.
    """
    work = _Restoring(bindings, blobs, namespace, trust)
    for name in dict.fromkeys((*bindings, *blobs)):
        if "." in name:
            continue  # of a module, which brings it along
        if name in namespace and not overwrite:
            work.restored.kept.append(name)
        else:
            work.pending.add(name)
    for name in dict.fromkeys((*bindings, *blobs)):
        work.bring(name)
    work.compare()
    return work.restored


class _Restoring:
    def __init__(
        self,
        bindings: Mapping[str, Binding],
        blobs: Mapping[str, Blob],
        namespace: dict[str, Any],
        trust: Trust,
    ) -> None:
        self.restored = Restored()
        self.pending: set[str] = set()
        self._bindings = bindings
        self._blobs = blobs
        self._namespace = namespace
        self._trust = trust
        self._recipes: dict[str, Recipe] = {}

    def bring(self, name: str) -> None:
        """Make the name, and before it what it needs. Asked again for the same name: nothing."""
        if name not in self.pending:
            return
        self.pending.discard(name)
        try:
            self._namespace[name] = self._made(name)
        except Exception as error:
            self.restored.failures[name] = self._reason(error)
        else:
            self.restored.names.append(name)

    def resolve(self, name: str) -> object:
        """What a name means; made now if it is among those still to come."""
        self.bring(name)
        return self._namespace.get(name)

    def compare(self) -> None:
        """Take back what is not what it was."""
        # Last of all: an object unpickled after its class brings the class's methods again.
        for name in self.restored.names:
            value = self._namespace[name]
            if isinstance(value, type) and isinstance(self._recipes.get(name), Unpickle):
                bind_methods(value, self._namespace)
        for name in self._different():
            recipe = self._recipes[name]
            if isinstance(recipe, Define) and recipe.otherwise is not None:
                self._replace(name, Unpickle(recipe.otherwise))
        for name in self._different():
            del self._namespace[name]
            self.restored.names.remove(name)
            self.restored.failures[name] = (
                "defined again from its source it is not what it was. Run its cell"
            )

    def _replace(self, name: str, recipe: Recipe) -> None:
        try:
            self._namespace[name] = self._followed(recipe)
        except Exception as error:
            del self._namespace[name]
            self.restored.names.remove(name)
            self.restored.failures[name] = self._reason(error)

    def _different(self) -> list[str]:
        describer = Describer(self._namespace)
        return [
            name
            for name in self.restored.names
            if isinstance(self._recipes.get(name), Define | Unpickle)
            and name in self._bindings
            and describer.describe(self._namespace[name]).digest != self._bindings[name].digest
        ]

    def _made(self, name: str) -> object:
        binding, blob = self._bindings.get(name), self._blobs.get(name)
        if binding is not None and binding.kind is BindingKind.SECRET:
            raise _NotKept(
                "secrets are not stored. Run the cell that makes it, best a %%setup cell"
            )
        if blob is None:
            what = binding.detail if binding is not None else ""
            raise _NotKept(f"a {what or 'value'} was not stored. Run the cell that makes it")
        if binding is not None and binding.kind in _VALUES:
            self._make_ready(binding.uses, set())
            return decode(blob, trust=self._trust, resolve=self.resolve)
        recipe = self._recipes[name] = read_recipe(decode(blob))
        return self._followed(recipe)

    def _followed(self, recipe: Recipe) -> object:
        match recipe:
            case Import(module, qualname):
                return _imported(module, qualname)
            case Alias(of):
                self.bring(of)
                return self._namespace[of]
            case Define():
                return self._defined(recipe)
            case Unpickle(content):
                return unpickled(content, self._namespace, self._trust, self.resolve)

    def _defined(self, recipe: Define) -> object:
        self._make_ready(defined_with(recipe.text, recipe.flags), set())
        filename = register(recipe.name, recipe.text)
        flags = recipe.flags & FUTURE_FLAGS
        code = compile(recipe.text, filename, "exec", flags, dont_inherit=True)
        # Its own name may not be the one it goes by in the notebook, hence the scratch.
        scratch: dict[str, object] = {}
        exec(code, self._namespace, scratch)
        return scratch[recipe.name]

    def _make_ready(self, names: Iterable[str], seen: set[str]) -> None:
        """Bring these names and, as their code may run at once, all that it reads."""
        for name in names:
            if name not in seen:
                seen.add(name)
                self.bring(name)
                binding = self._bindings.get(name)
                self._make_ready(binding.uses if binding is not None else (), seen)

    def _reason(self, error: Exception) -> str:
        if isinstance(error, StepwellError | _NotKept):
            return str(error)
        missing = getattr(error, "name", None)
        if isinstance(error, NameError) and missing in self.restored.failures:
            return f"it needs {missing!r}, which did not come back either"
        return f"{type(error).__name__}: {error}"


class _NotKept(Exception):
    pass


def _imported(module: str, qualname: str) -> object:
    found: Any = import_module(module)
    for part in qualname.split(".") if qualname else ():
        found = getattr(found, part)
    return found
