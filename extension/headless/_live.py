"""The live view on a terminal. It is rich's work; what is said is `_progress`'s.

rich redraws it from a thread of its own, several times a second.
"""

from rich.console import Console
from rich.live import Live as Region
from rich.text import Text

from stepwell.headless._card import Card
from stepwell.headless._progress import Silence, plain, words

__all__ = ["Live"]

_COLOURS = {"done": "green", "restored": "cyan", "failed": "red", "cancelled": "yellow"}
_ROWS = 8


class Live(Silence):
    """On a terminal: what has ended scrolls by, what is going on is kept in sight below."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._active: dict[str, Card] = {}
        self._place = "starting the kernel"
        self._cells = 0
        self._region = Region(
            get_renderable=self._view,
            console=console,
            refresh_per_second=4,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def begin(self, cells: int) -> None:
        """Open the live region."""
        self._cells = cells
        self._region.start()

    def cell(self, number: int) -> None:
        """Show how far the notebook is."""
        self._place = f"cell {number} of {self._cells}"

    def waiting(self) -> None:
        """Show that only steps are left."""
        self._place = "waiting for the steps"

    def step(self, card: Card) -> None:
        """Keep the step in sight until it has ended, then let it scroll by."""
        self._active.pop(card.step, None)
        if card.is_settled:
            self._console.print(_coloured(card))
        else:
            self._active[card.step] = card

    def warn(self, message: str) -> None:
        """Print the warning above the live region."""
        self._console.print(Text(f"warning: {plain(message)}", style="yellow"))

    def end(self) -> None:
        """Close the live region; the terminal is as it was."""
        self._region.stop()

    def _view(self) -> Text:
        # A copy: this is called on the thread that refreshes the terminal.
        active = sorted(self._active.copy().values(), key=lambda card: card.phase != "running")
        # Not as the whole text's style: the rows would take it on.
        view = Text(no_wrap=True).append(self._place, style="bold")
        for card in active[:_ROWS]:
            view.append("\n")
            view.append_text(_coloured(card))
        if len(active) > _ROWS:
            view.append(f"\n… and {len(active) - _ROWS} more")
        return view


def _coloured(card: Card) -> Text:
    name, phase, *rest = words(card)
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(name, style="bold")
    line.append(f"  {phase}", style=_COLOURS.get(phase, "blue"))
    for part in rest:
        line.append(f"  {part}")
    return line
