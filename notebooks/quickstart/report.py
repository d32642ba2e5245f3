"""Answers put together for readers: Markdown with numbered sources, and a table of citations."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cited", "source_table", "to_markdown"]

_CITED = re.compile(r"\[([\w-]+)\]")


def cited(text: str) -> list[str]:
    """The sources a text cites, once for each sentence that cites one."""
    return _CITED.findall(text)


def to_markdown(topic: str, summary: str, answers: Mapping[str, str]) -> str:
    """A report: the summary, a section per question, and the sources in order of appearance."""
    order = list(dict.fromkeys(name for text in answers.values() for name in cited(text)))
    numbers = {name: str(number) for number, name in enumerate(order, 1)}
    parts = [f"## {topic[:1].upper()}{topic[1:]}", f"*{summary}*"]
    for question, text in answers.items():
        numbered = _CITED.sub(lambda found: f"[{numbers[found[1]]}]", text)
        parts += [f"### {question}", numbered]
    sources = "\n".join(f"{number}. `{name}.txt`" for name, number in numbers.items())
    return "\n\n".join([*parts, "### Sources", sources])


def source_table(answers: Mapping[str, str]) -> "pd.DataFrame":
    """One row per question and source, with the number of sentences that cite it."""
    import pandas as pd

    rows = [
        {"question": question, "source": source, "sentences": count}
        for question, text in answers.items()
        for source, count in Counter(cited(text)).items()
    ]
    return pd.DataFrame(rows, columns=["question", "source", "sentences"])
