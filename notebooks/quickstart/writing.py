"""How the local model carries out each task: by scoring the sentences it was given."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle

from quickstart.reading import Prompt
from quickstart.text import has_figure, sentences, stem, stems

__all__ = ["answer", "critique", "questions", "revision", "summary"]

# What can be asked about a subject, and the words by which a sentence shows that it answers.
_ASPECTS = {
    "What speaks for {}?": "best cheap easily efficient good last less low lower once save suits",
    "What speaks against {}?": "but cannot cold cost depend expensive hard limit lose rarely risk",
    "What matters most with {}?": "before check depend enough large must need right should size",
}
_ENOUGH_WORDS = 40
_LEANING = ("But ", "It ", "One ", "Still", "Such ", "That ", "The other ", "They ", "This ")
_CITED = re.compile(r"\[([\w-]+)\]")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that may be chosen, where it stands and what it is about."""

    text: str
    source: str
    place: int
    words: frozenset[str]
    title: frozenset[str]


def questions(prompt: Prompt) -> str:
    """A question about each of the first subjects, on one aspect after the other."""
    titles = dict.fromkeys(part.attributes["title"] for part in prompt.all("source"))
    subjects = list(titles)[: prompt.count]
    return "\n".join(
        frame.format(title[:1].lower() + title[1:])
        for frame, title in zip(cycle(_ASPECTS), subjects, strict=False)
    )


def answer(prompt: Prompt) -> str:
    """The sentences that fit the question best, each with its source."""
    return _written(_choose(_candidates(prompt), prompt.text("question"), prompt.count))


def critique(prompt: Prompt) -> str:
    """A line for each answer that breaks a rule: sources, figures, length."""
    remarks = ((part.attributes["number"], _remark(part.text)) for part in prompt.all("answer"))
    return "\n".join(f"{number}: {remark}" for number, remark in remarks if remark)


def revision(prompt: Prompt) -> str:
    """The draft, and what the remark asks for from sources the draft does not cite."""
    draft, remark = prompt.text("draft"), prompt.text("remark")
    used = set(_CITED.findall(draft)) if "source" in remark else set[str]()
    new = [it for it in _candidates(prompt) if it.source not in used and it.text not in draft]
    if "figure" in remark:
        new = [it for it in new if has_figure(it.text)] or new
    added = _choose(new, prompt.text("question"), prompt.count)
    return f"{draft} {_written(added)}".strip()


def summary(prompt: Prompt) -> str:
    """The sentence of each answer that has most in common with the topic and the others."""
    texts = [_CITED.sub("", part.text).replace(" .", ".") for part in prompt.all("answer")]
    common = Counter(word for text in texts for word in set(stems(text)))
    topic = set(stems(prompt.text("topic")))

    def weight(sentence: str) -> float:
        words = set(stems(sentence))
        return sum(common[word] + 3 * (word in topic) for word in words) / (len(words) + 5)

    best = list(dict.fromkeys(max(sentences(text), key=weight) for text in texts if text))
    kept = set(sorted(best, key=weight, reverse=True)[: prompt.count])
    return " ".join(sentence for sentence in best if sentence in kept)


def _candidates(prompt: Prompt) -> list[Candidate]:
    found: list[Candidate] = []
    for part in prompt.all("source"):
        source, title = part.attributes["name"], frozenset(stems(part.attributes["title"]))
        for text in sentences(part.text):
            found.append(Candidate(text, source, len(found), frozenset(stems(text)), title))
    return found


def _choose(candidates: Iterable[Candidate], question: str, count: int) -> list[Candidate]:
    """The best `count` candidates in the order in which they were given.

    Each choice lowers the worth of sentences that would say the same again (maximal
    marginal relevance: Carbonell and Goldstein, 1998).
    """
    wanted, cues = set(stems(question)), _cues(question)
    left = [it for it in candidates if 2 * len(wanted & (it.words | it.title)) >= len(wanted)]
    chosen: list[Candidate] = []
    while left and len(chosen) < count:
        best = max(left, key=lambda it: (_worth(it, wanted, cues, chosen), -it.place))
        chosen.append(best)
        left.remove(best)
    return sorted(chosen, key=lambda it: it.place)


def _worth(it: Candidate, wanted: set[str], cues: set[str], chosen: Sequence[Candidate]) -> float:
    on_subject = len(wanted & (it.words | it.title)) + 0.5 * len(wanted & it.words)
    relevance = on_subject * (1 + 0.5 * len(it.words & cues) + 0.25 * has_figure(it.text))
    # A sentence that leans on the one before it reads badly alone.
    leaning = 0.3 if it.text.startswith(_LEANING) else 1
    return relevance * leaning * (1 - max((_likeness(it, other) for other in chosen), default=0))


def _likeness(one: Candidate, other: Candidate) -> float:
    return len(one.words & other.words) / max(1, len(one.words | other.words))


def _cues(question: str) -> set[str]:
    for frame, cues in _ASPECTS.items():
        if question.startswith(frame.partition("{}")[0]):
            return {stem(word) for word in cues.split()}
    return set()


def _written(chosen: Sequence[Candidate]) -> str:
    return " ".join(f"{it.text[:-1]} [{it.source}]{it.text[-1]}" for it in chosen)


def _remark(text: str) -> str:
    if len(set(_CITED.findall(text))) < 2:
        return "rests on a single source"
    if not any(has_figure(sentence) for sentence in sentences(text)):
        return "gives no figure"
    if len(text.split()) < _ENOUGH_WORDS:
        return "is too short to be of use"
    return ""
