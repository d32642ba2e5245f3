"""A page as JupyterLab leaves it in a notebook that is not trusted, and as people read it."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

ALLOWED: dict[str, Any] = json.loads(
    (Path(__file__).parent / "jupyterlab_sanitizer.json").read_text(encoding="utf-8")
)


class _Reader(HTMLParser):
    """Reads a page and notes everything JupyterLab would take out of it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.refused: list[str] = []
        self.text: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ALLOWED["tags"]:
            self.refused.append(f"<{tag}>")
        self.open.append(tag)
        allowed = [*ALLOWED["attributes"]["*"], *ALLOWED["attributes"].get(tag, [])]
        for name, value in attrs:
            if name not in allowed or name in ("class", "id"):
                self.refused.append(f"<{tag} {name}>")
            if name == "style":
                self._style(tag, value or "")

    def _style(self, tag: str, style: str) -> None:
        for declaration in style.split(";"):
            name, _, value = declaration.partition(":")
            pattern = ALLOWED["styles"].get(name)
            if pattern is None or not re.fullmatch(pattern, value, re.IGNORECASE):
                self.refused.append(f"<{tag} style={declaration}>")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.refused.append(f"</{tag}> out of place")

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.refused.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.refused.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        self.refused.append(f"<?{data}>")


def refused_by_jupyterlab(page: object) -> list[str]:
    """What JupyterLab takes out of the page in a notebook that is not trusted."""
    reader = _read(page)
    return [*reader.refused, *(f"<{tag}> is not closed" for tag in reader.open)]


def text_of(page: object) -> str:
    """What people read, without any markup."""
    return "".join(_read(page).text).replace("\xa0", " ")


def _read(page: object) -> _Reader:
    assert isinstance(page, str)
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader
