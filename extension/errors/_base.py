"""What all errors have in common, and those that others derive from."""

from collections.abc import Iterable
from typing import Any, ClassVar, Self, cast

__all__ = ["RunError", "StepwellError", "TerminalError", "near_misses", "show_as", "with_article"]


# Not u: a user, a UUID.
_VOWELS = frozenset("aeioAEIO")


class StepwellError(Exception):
    """Anything stepwell itself has to say. Catch this to catch all of them."""

    template: ClassVar[str] = "{message}"

    def __init__(self, message: str = "", **facts: Any) -> None:
        self.facts: dict[str, Any] = facts
        super().__init__(message or self.template.format(**facts))

    def __getattr__(self, name: str) -> Any:
        # Facts read as attributes: error.step, error.path. Only called when the
        # ordinary lookup has failed, and `facts` may be missing while unpickling.
        facts: dict[str, Any] = self.__dict__.get("facts", {})
        if name in facts:
            return facts[name]
        raise AttributeError(name)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), str(self), self.facts)

    def said_anew(self, message: str) -> Self:
        """An error of the same kind with the same facts, in other words; this one is its cause."""
        error: Any = _rebuild(type(self), message, self.facts)
        error.__cause__ = self
        return cast("Self", error)

    def _render_traceback_(self) -> list[str]:
        # IPython prints these lines instead of a traceback: the message says
        # where the mistake is; our own frames would only hide it.
        return [f"{type(self).__name__}: {self}"]


def _rebuild(kind: type[StepwellError], message: str, facts: dict[str, Any]) -> StepwellError:
    # Past the subclass's own signature: what was said is kept word for word.
    error = kind.__new__(kind)
    StepwellError.__init__(error, message, **facts)
    return error


def show_as(error: BaseException, message: str) -> None:
    """Have IPython print one line for an error that is not ours, instead of our own frames."""
    shown: Any = error
    shown._render_traceback_ = lambda: [f"{type(error).__name__}: {message}"]


def near_misses(word: str, known: Iterable[str], *, at_most: int = 3) -> str:
    """A sentence naming the likeliest of `known`, or what there is, or nothing at all."""
    from difflib import get_close_matches

    candidates = sorted(set(known))
    close = get_close_matches(word, candidates, n=at_most, cutoff=0.6)
    if close:
        return " Did you mean " + " or ".join(repr(name) for name in close) + "?"
    if candidates:
        return " There is: " + ", ".join(candidates[:8]) + (", …" if len(candidates) > 8 else ".")
    return ""


def with_article(name: str) -> str:
    """The name of a type as it is said: a list, an int."""
    return f"{'an' if name[:1] in _VOWELS else 'a'} {name}"


class RunError(StepwellError):
    """Something that happened to a run."""


class TerminalError(StepwellError):
    """Raise it in a step: this attempt failed and trying again is useless."""
