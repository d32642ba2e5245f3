"""`%stepwell VERB …`: find the verb, understand its line, let it act."""

from dataclasses import replace

from stepwell.errors import InvalidUsage, near_misses
from stepwell.magics._options import HELP, describe, parse
from stepwell.magics._port import Notebook
from stepwell.magics._verb import Verb
from stepwell.magics._verbs import VERBS

__all__ = ["STEPWELL_HELP", "obey"]

STEPWELL_HELP = f"""Look after the steps of this notebook.

    %stepwell VERB …

{describe((f"{verb.name} {verb.takes}", verb.summary) for verb in VERBS.values())}

`%stepwell VERB --help` explains a verb, `%%step --help` how a cell becomes a step.
"""


def obey(notebook: Notebook, line: str, cell: str | None = None) -> object | None:
    """Do what the line says, with the cell's text for `%%stepwell`; print help when asked.

    Raises `InvalidUsage` for what cannot be meant.
    """
    name, rest = (*line.split(maxsplit=1), "", "")[:2]
    if not name or name in HELP:
        print(STEPWELL_HELP, end="")
        return None
    verb = _verb(name)
    if rest.strip() in HELP:
        print(verb.help)
        return None
    if verb.text:
        return verb.act(notebook, verb.whole(rest, cell))
    if cell is not None:
        takers = ", ".join(other.name for other in VERBS.values() if other.text)
        raise InvalidUsage(
            f"%%stepwell {name}: only {takers} take the rest of the cell. Write {verb.usage}"
        )
    parsed = parse(verb.command, rest, verb.options)
    if parsed.help:
        print(verb.help)
        return None
    return verb.act(notebook, replace(parsed, words=verb.arguments(parsed)))


def _verb(name: str) -> Verb:
    verb = VERBS.get(name)
    if verb is not None:
        return verb
    near = near_misses(name, VERBS)
    raise InvalidUsage(f"%stepwell has no verb {name!r}.{near} `%stepwell` lists them.")
