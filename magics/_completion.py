"""What Tab offers on a line that starts with one of our magics. Pure: text in, words out."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stepwell.errors import StepwellError
from stepwell.magics._options import Kind, Option, Takes
from stepwell.magics._port import Notebook
from stepwell.magics._step import STEP_OPTIONS
from stepwell.magics._verbs import VERBS

__all__ = ["Candidate", "candidates"]

_LINE = re.compile(r"\s*(?:\w+\s*=\s*)?(%%?)(step|stepwell)\s+(.*)")
_PIECES = re.compile(r"[\s,]+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One offered word, and what sort of thing it names."""

    text: str
    kind: str


def candidates(notebook: Notebook, before: str, *, first: bool) -> tuple[str, list[Candidate]]:
    """What has been typed of the word at the cursor, and the words it could become.

    `before` is the cursor's line up to the cursor; `first` says whether it is the line
    that makes a cell magic of the cell. Offers nothing outside our own magics.
    """
    match = _LINE.fullmatch(before)
    if match is None or (match[1] == "%%" and not first) or (match[1], match[2]) == ("%", "step"):
        return "", []
    *words, fragment = re.split(r"\s+", match[3])
    offered = _for_step(notebook, words, fragment) if match[2] == "step" else None
    if offered is None:
        offered = _for_stepwell(notebook, words, fragment)
    typed = fragment if fragment.startswith("--") and "=" not in fragment else _piece(fragment)
    taken = {piece for word in [*words, fragment[: -len(typed) or None]] for piece in _split(word)}
    return typed, [
        each for each in offered if each.text.startswith(typed) and each.text not in taken
    ]


def _for_step(notebook: Notebook, words: Sequence[str], fragment: str) -> list[Candidate]:
    waiting, named = _read(STEP_OPTIONS, words, fragment)
    if waiting is not None:
        return _names(notebook, waiting.offers)
    if fragment.startswith("-") or named:
        return _options(STEP_OPTIONS)
    return _names(notebook, (Kind.STEP,))


def _for_stepwell(notebook: Notebook, words: Sequence[str], fragment: str) -> list[Candidate]:
    if not words:
        return [Candidate(name, "verb") for name in VERBS]
    verb = VERBS.get(words[0])
    if verb is None:
        return []
    waiting, named = _read(verb.options, words[1:], fragment)
    if waiting is not None:
        return _names(notebook, waiting.offers)
    if fragment.startswith("-"):
        return _options(verb.options)
    if verb.at_most == 1 and named:
        return []
    return _names(notebook, verb.offers)


def _read(
    options: Iterable[Option], words: Sequence[str], fragment: str
) -> tuple[Option | None, bool]:
    """The option whose value is being typed, and whether a plain word came before."""
    known = {option.name: option for option in options if option.takes is not Takes.NOTHING}
    waiting: Option | None = None
    named = False
    for word in words:
        name, equals, _ = word.partition("=")
        if word.startswith("--"):
            waiting = None if equals and not word.endswith(",") else known.get(name)
        elif waiting is None:
            named = True
        elif not word.endswith(","):
            waiting = None
    if fragment.startswith("--"):
        name, equals, _ = fragment.partition("=")
        waiting = known.get(name) if equals else None
    return waiting, named


def _options(options: Iterable[Option]) -> list[Candidate]:
    return [Candidate(option.name, "option") for option in options if not option.later]


def _names(notebook: Notebook, kinds: Iterable[Kind]) -> list[Candidate]:
    found: list[Candidate] = []
    for kind in kinds:
        match kind:
            case Kind.STEP:
                ask = notebook.step_names
            case Kind.AGENT_STEP:
                ask = notebook.agent_step_names
            case Kind.RUN:
                ask = notebook.run_ids
            case Kind.OUTPUT:
                ask = notebook.output_names
        try:
            found += [Candidate(name, kind.value) for name in ask()]
        except StepwellError:
            # Tab is no place for a message; the command itself will say what is wrong.
            continue
    return found


def _piece(fragment: str) -> str:
    return re.split(r"[=,]", fragment)[-1]


def _split(word: str) -> list[str]:
    return [piece for piece in re.split(r"[=,]", word) if piece]
