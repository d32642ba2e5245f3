"""Figures a step leaves open are shown in its cell, as they are in an ordinary cell."""

import sys
from typing import Any

__all__ = ["show_new_figures"]


def show_new_figures() -> None:
    """Display and close matplotlib's open figures, under the inline backend only.

    pyplot's list of figures is one for the whole process: of two steps that draw at the
    same moment, either may show the other's. `plt.show()` in the step shows its own at once.
    """
    # Another step may be in the middle of importing it.
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    open_figures = getattr(pyplot, "get_fignums", None)
    if open_figures is None or not open_figures():
        return
    backend = str(sys.modules["matplotlib"].get_backend()).lower()
    if "inline" not in backend:
        return
    ipython: Any = sys.modules["IPython"]
    for number in open_figures():
        figure = pyplot.figure(number)
        ipython.display.display(figure)
        pyplot.close(figure)
