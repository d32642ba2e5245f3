"""What steps find around them: the notebook's names as they were when a step was asked for."""

import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from stepwell.agents import Agent, Definition, Nursery, nursery
from stepwell.errors import InvalidStep
from stepwell.flow import Environment, Fingerprint, Step
from stepwell.frontend import Frontend
from stepwell.orchestrator import Attempt, AttemptId, EnvironmentCaptured
from stepwell.session._figures import show_new_figures
from stepwell.store.values import Signer
from stepwell.workers import Recorder, Relay
from stepwell.workers.namespace import (
    Around,
    Captured,
    around,
    build,
    capture,
    capture_around,
    carried_over,
    joined,
    with_names_of,
)

__all__ = ["Alike", "Surroundings", "environment_digest"]

Alike = dict[tuple[object, ...], tuple[str, Captured]]
"""What was captured a moment ago, by everything that it depends on."""

FEW = 8
CHILDREN = 256


def environment_digest(captured: Captured) -> str:
    """Equal when nothing in the environment differs that can be told apart."""
    return Fingerprint(code="", environment=captured.bindings).digest


@dataclass(slots=True)
class Surroundings:
    """Keeps what was captured alive for the attempts that run in it. See `workers.Surroundings`."""

    namespace_of_notebook: dict[str, Any]
    frontend: Frontend
    is_output: Callable[[str], bool] = lambda name: False
    captured: dict[str, Captured] = field(default_factory=dict[str, Captured])
    functions: dict[str, Callable[..., object]] = field(
        default_factory=dict[str, Callable[..., object]]
    )
    """By step; an agent's by `agent/step`."""
    places: dict[str, object] = field(default_factory=dict[str, object])
    """Step → the cell its card is in; the same for runs that cells have called."""
    agents: dict[str, Agent[..., Any]] = field(default_factory=dict[str, "Agent[..., Any]"])
    """As they are declared now."""
    agents_in: dict[str, dict[str, Definition]] = field(
        default_factory=dict[str, dict[str, Definition]]
    )
    """Environment → the agents as they were when it was captured."""
    caller: Callable[[AttemptId], str] = lambda attempt: attempt.step
    """The step, or the run a cell has called, on whose behalf an attempt runs."""
    nursery_of: Callable[[Attempt], Nursery | None] = lambda attempt: None
    """What an attempt's code asks about the agents it calls."""
    relay: Relay = field(init=False)
    _signer: Signer | None = None
    _for_children: dict[str, None] = field(default_factory=dict[str, None])
    _worth_it: int = FEW

    def __post_init__(self) -> None:
        self.relay = Relay(self.frontend.relay)

    # -- for the session, on the main thread ---------------------------------------------

    def capture(
        self, definition: Step, last: Environment | None = None, *, alike: Alike | None = None
    ) -> tuple[str, Captured]:
        """What a step would find around it now, and its digest.

        `last` is what it found the last time: a function that is not defined in this process
        is taken not to have changed. With `alike`, steps that find the same share it, as long
        as nothing is executed.
        """
        found = self._around(definition) if definition.kind == "function" else None
        is_lost = definition.kind == "function" and found is None
        alike = {} if alike is None else alike
        likeness = found.likeness if found is not None else ()
        key = (definition.kind, definition.reads, likeness)
        if not is_lost and (known := alike.get(key)) is not None:
            return known
        captured = capture(
            definition.reads,
            self.namespace_of_notebook,
            is_input=self.is_output,
            signer=self.signer,
        )
        if found is not None:
            there = self._found_by(found, likeness, alike)
            captured = joined(captured, there, is_output=self.is_output)
        elif is_lost:
            captured = carried_over(captured, last or {})
        result = environment_digest(captured), captured
        alike[key] = result
        return result

    def _found_by(self, found: Around, likeness: tuple[object, ...], alike: Alike) -> Captured:
        known = alike.get(likeness)
        if known is None:
            known = alike[likeness] = "", capture_around(found, signer=self.signer)
        return known[1]

    def _around(self, definition: Step) -> Around | None:
        """Where a function step stands; None if it is not defined here, nor to be imported."""
        try:
            function = self.function(definition)
        except Exception:  # the module's own, or there is none
            return None
        notebook = self.namespace_of_notebook
        given = [it for it in definition.reads if it in notebook or self.is_output(it)]
        return around(function, notebook, source=definition.source, given=given)

    def is_at_home(self, definition: Step) -> bool:
        """Whether the globals of a function step are the notebook's names."""
        try:
            names = getattr(self.function(definition), "__globals__", None)
        except Exception:  # the module's own, or there is none
            return False
        return names is self.namespace_of_notebook

    def part_for(
        self, definition: Step, function: Callable[..., object], part: Captured
    ) -> Captured:
        """What an agent's function step finds: what its parameters mean, and where it stands."""
        mine = around(function, self.namespace_of_notebook, source=definition.source)
        return joined(part, capture_around(mine, signer=self.signer))

    @property
    def signer(self) -> Signer:
        """Signs what is kept by pickle."""
        if self._signer is None:
            self._signer = Signer.of_user()
        return self._signer

    def keep(self, digest: str, captured: Captured) -> None:
        """Somebody is going to run in it."""
        self.captured[digest] = with_names_of(self.captured.get(digest), captured)
        self.agents_in[digest] = {name: it.definition for name, it in self.agents.items()}

    def keep_for_child(self, digest: str, captured: Captured, *, of: str) -> None:
        """A child of a step in environment `of` is about to run in it. Any thread may call."""
        # In use only when its run has begun; a few are kept until then.
        self._for_children[digest] = None
        while len(self._for_children) > CHILDREN:
            self._for_children.pop(next(iter(self._for_children)), None)
        agents = self.agents_in.get(of)
        if agents is None:
            agents = {name: it.definition for name, it in self.agents.items()}
        self.agents_in[digest] = agents
        self.captured[digest] = with_names_of(captured, self.captured.get(digest, captured))

    def let_go(self, in_use: Callable[[], Collection[str]]) -> None:
        """Forget environments that are not in use, if so many are kept that it is worth it.

        They hold the notebook's objects, and copies of those that can be changed.
        """
        if len(self.captured) <= self._worth_it:
            return
        used = {*in_use(), *self._for_children}
        for digest in [digest for digest in self.captured if digest not in used]:
            del self.captured[digest]
            self.agents_in.pop(digest, None)
        self._worth_it = max(FEW, 2 * len(self.captured))

    def event(self, digest: str) -> EnvironmentCaptured:
        """The environment as it is written down."""
        return self.event_of(digest, self.captured[digest])

    def event_of(self, digest: str, captured: Captured) -> EnvironmentCaptured:
        """The same of one that may not be kept."""
        values: dict[str, str] = {name: blob.digest for name, blob in captured.blobs.items()}
        return EnvironmentCaptured(digest, dict(captured.bindings), values)

    # -- for the worker, on its threads --------------------------------------------------

    def namespace(
        self,
        definition: Step,
        environment: str,
        inputs: Mapping[str, object],
        without: Collection[str] = (),
    ) -> dict[str, object]:
        """A namespace of its own for one attempt, without these names of the notebook."""
        return build(self.captured[environment], inputs, without)

    def environment_without(self, environment: str, names: Collection[str]) -> str:
        """The digest of an environment in which these names do not count."""
        bindings = self.captured[environment].bindings
        if not any(name in bindings for name in names):
            return environment
        rest = {name: found for name, found in bindings.items() if name not in names}
        return Fingerprint(code="", environment=rest).digest

    def function(self, definition: Step) -> Callable[..., object]:
        """The function as last decorated here, or imported from where it was defined."""
        prefix = f"{definition.flow}/" if definition.flow else ""
        known = self.functions.get(prefix + definition.name)
        if known is not None:
            return known
        if not definition.module:
            raise InvalidStep(
                definition.name, "its function is not defined in this process; run its cell first"
            )
        found: Any = import_module(definition.module)
        for part in definition.qualname.split("."):
            found = getattr(found, part)
        function: Callable[..., object] = getattr(found, "__wrapped__", found)
        return function

    def recorder(self, attempt: AttemptId) -> Recorder:
        """Outputs go to the step's cell, if it is shown anywhere."""
        return Recorder(self.relay, self.places.get(self.caller(attempt)))

    def enter(self, attempt: Attempt) -> None:
        """Let the step's code call agents."""
        nursery.set(self.nursery_of(attempt))

    def before_thread(self) -> None:
        """As the front end wants it."""
        self.frontend.before_thread()

    def after_body(self) -> None:
        """Show the figures the step left open."""
        if "matplotlib.pyplot" in sys.modules:
            show_new_figures()
