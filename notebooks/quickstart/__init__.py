"""What the quickstart notebook works with: a folder of articles, a search, and a model.

Nothing here knows stepwell. `LocalModel` stands in for a language model: it answers the
same prompts through the same interface, always in the same way, and needs no network.
"""

from quickstart import prompts
from quickstart.model import LocalModel, Reply
from quickstart.report import cited, source_table, to_markdown
from quickstart.search import LIBRARY, Index, Passage, build_index, read_articles

__all__ = [
    "LIBRARY",
    "Index",
    "LocalModel",
    "Passage",
    "Reply",
    "build_index",
    "cited",
    "prompts",
    "read_articles",
    "source_table",
    "to_markdown",
]
