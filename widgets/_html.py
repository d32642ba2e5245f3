"""HTML out of parts, safe by construction: a `str` is text and is escaped, `Markup` is not.

Front ends differ in what they let through. JupyterLab keeps inline styles of an untrusted
notebook only where each value matches its list (no `var(…)`, no `inherit`, no `svg`); GitHub
drops styles altogether. So the words carry the meaning, and colours are translucent tints
over whatever background the theme has.
"""

import re
from collections.abc import Iterable
from html import escape

from stepwell.widgets._text import block, line

__all__ = [
    "MONO",
    "PRE",
    "Markup",
    "code",
    "details",
    "element",
    "join",
    "muted",
    "pre",
    "prose",
    "text",
]

MONO = "font-family:Menlo,Consolas,monospace;font-size:12px"
PRE = (
    f"{MONO};line-height:1.45;margin:4px 0 6px 0;padding:6px 10px;border-radius:4px;"
    "background-color:rgba(128,128,128,0.1);overflow:auto;max-height:320px;white-space:pre;"
    "text-align:left"
)
_PROSE = (
    "line-height:1.5;margin:4px 0 6px 0;padding:6px 10px;border-radius:4px;text-align:left;"
    "background-color:rgba(128,128,128,0.1);overflow:auto;max-height:320px;white-space:pre-wrap;"
    "overflow-wrap:break-word"
)
# Notebooks give code a ground of their own, often a loud one.
_CODE = f"{MONO};background-color:rgba(128,128,128,0.13);border-radius:3px;padding:0 3px"
_MATHS = re.compile(r"([$\\]+)")


class Markup(str):
    """HTML that can be put into a page as it stands."""

    __slots__ = ()


def element(tag: str, *content: str, style: str = "", **attributes: str) -> Markup:
    """An element; content that is not `Markup` is escaped."""
    if style:
        attributes["style"] = style
    said = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
    return Markup(f"<{tag}{said}>{join(content)}</{tag}>")


def join(parts: Iterable[str], between: str = "") -> Markup:
    """The parts one after the other; those that are not `Markup` are escaped."""
    return Markup(between.join(_safe(part) for part in parts if part))


def _safe(part: str) -> str:
    return part if isinstance(part, Markup) else escape(part)


def text(said: str, at_most: int = 300) -> Markup:
    """Somebody else's text within a line."""
    # Isolated, so that writing from right to left does not reorder its neighbours.
    return Markup(f"<bdi>{_without_formulas(line(said, at_most))}</bdi>")


def _without_formulas(said: str) -> str:
    # Front ends look for formulas between $ and in \(…\), not across elements.
    return _MATHS.sub(r"<span>\1</span>", escape(said))


def code(said: str, at_most: int = 120) -> Markup:
    """A name or a piece of code within a line."""
    return element("code", line(said, at_most), style=_CODE)


def pre(said: str, *, lines: int = 60, columns: int = 300) -> Markup:
    """Somebody else's text in its lines."""
    return element("pre", block(said, lines=lines, columns=columns), style=PRE, dir="auto")


def prose(said: str, *, lines: int = 60) -> Markup:
    """Somebody else's text in its lines, which may be long: broken between words.

    In a `pre` notebooks break them anywhere.
    """
    shown = Markup(_without_formulas(block(said, lines=lines, columns=1000)))
    return element("div", shown, style=_PROSE, dir="auto")


def muted(*content: str, style: str = "") -> Markup:
    """Content that matters less than what stands beside it."""
    return element("span", *content, style=f"opacity:0.72;{style}".rstrip(";"))


def details(summary: str, *content: str) -> Markup:
    """Content that is shown on request."""
    head = element("summary", summary, style="cursor:pointer")
    return element("details", head, *content, style="margin:2px 0 0 0")
