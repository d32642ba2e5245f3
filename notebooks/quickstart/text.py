"""English text as sentences and as the words that carry meaning."""

import re

__all__ = ["has_figure", "sentences", "stem", "stems"]

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_WORD = re.compile(r"[A-Za-zÀ-ÿ]+")
_FIGURE = re.compile(r"\d")
_ENDINGS = ("ing", "ers", "er", "ed", "es", "s", "e")
_UNIMPORTANT = frozenset(
    """
    a about after against all also an and any are as at away be because been before but by can
    do does for from get gets has have how if in into is it its just less like many matter
    matters may more most much must no not of off on one only or other out over own per so some
    speaks such than that the their them then there these they this those through to too up very
    was were what when where which while who why will with without would you your
    """.split()
)


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph, in order."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def stem(word: str) -> str:
    """`word` without a common ending, so that `heating` and `heats` count as `heat`."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def stems(text: str) -> list[str]:
    """The words of `text` that carry meaning, stemmed, in order and with repetitions."""
    words = (word.lower() for word in _WORD.findall(text))
    return [stem(word) for word in words if len(word) > 1 and word not in _UNIMPORTANT]


def has_figure(sentence: str) -> bool:
    """Whether the sentence states a number in digits."""
    return bool(_FIGURE.search(sentence))
