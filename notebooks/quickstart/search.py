"""A small search engine: paragraphs ranked by BM25.

The formula and its two constants are those of Robertson and Zaragoza, "The Probabilistic
Relevance Framework: BM25 and Beyond" (2009).
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from pathlib import Path

from quickstart.text import stems

__all__ = ["LIBRARY", "Index", "Passage", "build_index", "read_articles"]

LIBRARY = Path(__file__).parent / "library"
"""The articles that come with the notebook."""

SATURATION = 1.2
LENGTH_WEIGHT = 0.75
TITLE_REPEATS = 2


@dataclass(frozen=True, slots=True)
class Passage:
    """One paragraph of an article."""

    source: str
    """The article's file name without its ending; citations use it."""
    title: str
    text: str


@dataclass(frozen=True)
class Index:
    """Every paragraph, and for every word the paragraphs that have it and how often."""

    passages: list[Passage]
    lengths: list[int]
    postings: dict[str, list[tuple[int, int]]]

    def search(self, question: str, limit: int = 4, per_article: int = 3) -> list[Passage]:
        """The best paragraphs for a question, best first, few from any one article."""
        scores: defaultdict[int, float] = defaultdict(float)
        for word in sorted(set(stems(question))):
            hits = self.postings.get(word, [])
            for number, count in hits:
                scores[number] += self._weight(number, count, len(hits))
        taken: Counter[str] = Counter()
        found: list[Passage] = []
        for number in sorted(scores, key=lambda number: (-scores[number], number)):
            passage = self.passages[number]
            taken[passage.source] += 1
            if taken[passage.source] <= per_article:
                found.append(passage)
        return found[:limit]

    def _weight(self, number: int, count: int, hits: int) -> float:
        rarity = log(1 + (len(self.passages) - hits + 0.5) / (hits + 0.5))
        average = sum(self.lengths) / len(self.lengths)
        length = 1 - LENGTH_WEIGHT + LENGTH_WEIGHT * self.lengths[number] / average
        return rarity * count * (SATURATION + 1) / (count + SATURATION * length)


def read_articles(folder: str | Path = LIBRARY) -> dict[str, str]:
    """The text of every `.txt` file in `folder` by its name without the ending, sorted.

    Raises FileNotFoundError if the folder has none.
    """
    files = sorted(Path(folder).glob("*.txt"))
    if not files:
        raise FileNotFoundError(f"no .txt file in {folder}: the library is a folder of articles")
    return {file.stem: file.read_text(encoding="utf-8") for file in files}


def build_index(articles: Mapping[str, str]) -> Index:
    """An index over the articles' paragraphs. An article's first line is its title."""
    passages: list[Passage] = []
    lengths: list[int] = []
    postings: dict[str, list[tuple[int, int]]] = {}
    for source, article in articles.items():
        title, *paragraphs = [part.strip() for part in article.split("\n\n") if part.strip()]
        for paragraph in paragraphs:
            # A title says what the whole article is about, so it counts for each paragraph.
            counts = Counter(stems(paragraph) + stems(title) * TITLE_REPEATS)
            for word, count in counts.items():
                postings.setdefault(word, []).append((len(passages), count))
            passages.append(Passage(source, title, paragraph))
            lengths.append(counts.total())
    return Index(passages, lengths, postings)
