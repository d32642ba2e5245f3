"""`stepwell.secret`: names whose values are never stored, shown or logged in clear."""

import sys
from collections.abc import Iterator
from inspect import currentframe

from stepwell.errors import InvalidStep, InvalidUsage
from stepwell.flow import BindingKind, Step
from stepwell.orchestrator import State
from stepwell.store.values import SECRETS

__all__ = ["mark_secrets_of", "refuse_secrets_in", "secret"]

_WAY_OUT = "Read it from where it is kept (os.environ, getpass.getpass())"


def secret(*names: str) -> None:
    """Never store, show or log in clear what these names of yours hold.

        %%setup
        api_key = os.environ["API_KEY"]
        stepwell.secret("api_key")

    Steps may read such a name; that it has changed is seen, what it is is not kept. So
    after a restart it is made again, best by a setup cell. A step's output of that name
    is refused, unless it is `--transient`. Wherever a step prints, displays or raises a
    text that a secret holds (of six characters or more), `•••` stands in its place, and a
    result with one in it is refused. What cells print that are no steps is theirs.

    Call it before the first step reads the name: what has been stored stays stored.
    Raises `InvalidUsage` if code that was stored holds one in clear.
    """
    if not names:
        raise InvalidUsage('name what is secret: stepwell.secret("api_key")')
    for name in names:
        if not _is_name(name):
            raise InvalidUsage(
                f"secret() takes names, and this {type(name).__name__} is none. In quotes: "
                'stepwell.secret("api_key")'
            )
    frame = currentframe()
    caller = frame.f_back if frame else None
    for name in names:
        SECRETS.mark(name)
        if caller is not None:
            SECRETS.keep(name, caller.f_locals.get(name, caller.f_globals.get(name)))
    for where, name in _stored_code_with_secrets():
        raise InvalidUsage(
            f"the code of {where} holds the secret {name!r} in clear, and code is stored. "
            f"{_WAY_OUT}, run the cell again, and change the secret: the store has the old one"
        )


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier()


def refuse_secrets_in(source: str, step: str = "") -> None:
    """Raises before code is stored that holds a secret in clear."""
    name = SECRETS.name_in(source)
    if name and step:
        raise InvalidStep(step, f"its code holds the secret {name!r} in clear. {_WAY_OUT}")
    if name:
        raise InvalidUsage(f"a setup cell holds the secret {name!r} in clear. {_WAY_OUT}")


def mark_secrets_of(state: State) -> None:
    """What was secret in the run stays so, though nobody says so again."""
    for environment in state.environments.values():
        for key, binding in environment.bindings.items():
            if binding.kind is BindingKind.SECRET:
                SECRETS.mark(key.rpartition(".")[2])


def _stored_code_with_secrets() -> Iterator[tuple[str, str]]:
    loading = sys.modules.get("stepwell.loading")
    notebook = loading.current_notebook() if loading is not None else None
    if notebook is None or not notebook.session.is_open:
        return
    state: State = notebook.session.state
    steps: Iterator[Step] = (it for flow in (state.flow, *state.agents.values()) for it in flow)
    sources = [(f"step {step.name!r}", step.source) for step in steps]
    sources += [("a setup cell", setup.source) for setup in state.setups.values()]
    for where, source in sources:
        if name := SECRETS.name_in(source):
            yield where, name
