"""Verbs by which people are asked, answer, and send word to runs."""

from stepwell.errors import InvalidUsage
from stepwell.magics._options import Kind, Option, Parsed, Takes
from stepwell.magics._port import Notebook
from stepwell.magics._verb import Verb

__all__ = ["PEOPLE_VERBS"]

_ALWAYS = Option("--always", help="also for every further call of the same tool in this run")


def _first(parsed: Parsed) -> str:
    return "".join(parsed.words[:1])


def _approve(notebook: Notebook, parsed: Parsed) -> object:
    return notebook.approve(
        _first(parsed),
        note=parsed.one("--note"),
        given=parsed.all("--set"),
        always=parsed.has("--always"),
    )


def _reject(notebook: Notebook, parsed: Parsed) -> object:
    # Word for word, so that a reason may hold an apostrophe.
    words = _first(parsed).split(maxsplit=1)
    which, reason = (*words, "")[:2]
    begin, _, rest = reason.partition(" ")
    is_always = begin == _ALWAYS.name
    return notebook.reject(which, reason=rest if is_always else reason, always=is_always)


def _send(notebook: Notebook, parsed: Parsed) -> object:
    words = _first(parsed).split(maxsplit=2)
    if len(words) < 2:
        raise InvalidUsage("it is written %stepwell send RUN TOPIC [MESSAGE]")
    return notebook.send(*words)


PEOPLE_VERBS = (
    Verb(
        "inbox",
        "",
        "everything that waits for a person",
        "In all runs of the store, the oldest first, with what it is about and until when. Runs "
        "that are not going on at present are listed too: an answer is found when they do.",
        lambda notebook, parsed: notebook.inbox(),
    ),
    Verb(
        "approve",
        "[STEP|ID]",
        "say yes to what a step has asked",
        "Without a name: to the only open question. It is decided once, by whoever comes first. "
        "With --set NAME=VALUE what is approved is changed, where the step allows it; a value is a "
        "Python literal, or a name of the notebook, or else the text itself.",
        _approve,
        at_most=1,
        options=(
            Option(
                "--set",
                Takes.EACH,
                "NAME=VALUE",
                "change what is approved; can be repeated",
                is_code=True,
            ),
            Option("--note", Takes.ONE, "TEXT", "a remark that is kept with the decision"),
            _ALWAYS,
        ),
        offers=(Kind.STEP,),
    ),
    Verb(
        "reject",
        "STEP|ID [--always] [REASON…]",
        "say no to what a step has asked",
        "The step fails as rejected and is not tried again by itself; a tool call is refused, and "
        "the model is told the reason. With --always so is every further call of the same tool in "
        "this run.",
        _reject,
        text="name and reason",
        example="STEP too long",
        offers=(Kind.STEP,),
    ),
    Verb(
        "respond",
        "[STEP|ID] ANSWER",
        "answer what a step has asked",
        "The rest of the line is the answer, word for word: JSON, or a text; a longer one goes "
        "below %%stepwell respond STEP. It is checked before it is accepted.",
        lambda notebook, parsed: notebook.respond(_first(parsed)),
        text="answer",
        example="STEP 42",
        offers=(Kind.STEP,),
    ),
    Verb(
        "send",
        "RUN TOPIC [MESSAGE]",
        "send a message to a run, for `stepwell.receive(TOPIC)` there",
        "The rest of the line is the message: JSON, or a text. It stays with the run until a step "
        "receives it; it may come before the step waits.",
        _send,
        text="run and topic",
        example='RUN news {"more": true}',
        offers=(Kind.RUN,),
    ),
)
