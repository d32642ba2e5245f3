"""Figures a step leaves open are shown in its cell, as they are in an ordinary cell."""

import sys
from typing import Any

__all__ = ["show_new_figures"]


def show_new_figures() -> None:
    """Display and close matplotlib's open figures, under the inline backend only.

    pyplot's list of figures is one for the whole process: of two steps that draw at the
    same moment, either may show the other's. `plt.show()` in the step shows its own at once.
    """
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if pyplot is None or not pyplot.get_fignums():
        return
    backend = str(sys.modules["matplotlib"].get_backend()).lower()
    if "inline" not in backend:
        return
    ipython: Any = sys.modules["IPython"]
    for number in pyplot.get_fignums():
        figure = pyplot.figure(number)
        ipython.display.display(figure)
        pyplot.close(figure)
