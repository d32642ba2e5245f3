"""Something to look at: the same thing for a page, for a log, and for a program."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

__all__ = ["Bundle", "View", "below"]

Bundle = dict[str, object]
"""MIME type → data, as in a Jupyter message."""


@dataclass(frozen=True, slots=True, repr=False)
class View:
    """A bundle that notebooks display and `print` prints."""

    bundle: Mapping[str, object]

    def __repr__(self) -> str:
        return str(self.bundle["text/plain"])

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> Bundle:
        # IPython applies include and exclude itself.
        return dict(self.bundle)


def below(*views: View) -> View:
    """Views one below the other."""
    page = "".join(str(view.bundle["text/html"]) for view in views)
    plain = "\n\n".join(str(view.bundle["text/plain"]) for view in views)
    return View({"text/html": page, "text/plain": plain})


@dataclass(frozen=True, slots=True, repr=False)
class ShownView(View):
    """A view that somebody else puts into the cell, to keep it up to date there."""

    show: Callable[[View], None]

    def _ipython_display_(self) -> None:
        self.show(View(self.bundle))
