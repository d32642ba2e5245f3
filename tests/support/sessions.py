"""A session to run cells in, without a kernel."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepwell.defining import step_from_cell
from stepwell.frontend import NoFrontend
from stepwell.orchestrator import Clock, StepView
from stepwell.place import Place
from stepwell.session import Session
from stepwell.store import MemoryStore


class Pane(NoFrontend):
    """A front end that remembers what each card says last."""

    def __init__(self) -> None:
        self.cards: dict[str, str] = {}
        self.cell = ""

    def where(self) -> object:
        """Always some cell."""
        return {"cell": "here"}

    def cell_id(self) -> str:
        """As the test says."""
        return self.cell

    def show(self, bundle: Mapping[str, object], display_id: str, where: object) -> None:
        """A card."""
        self.cards[display_id] = str(bundle["text/plain"])

    def update(self, bundle: Mapping[str, object], display_id: str, where: object) -> None:
        """The same card."""
        self.cards[display_id] = str(bundle["text/plain"])

    def relay(self, where: object, entries: list[dict[str, Any]]) -> None:
        """Nobody listens."""

    def says(self, *words: str) -> bool:
        """Whether one card says all this."""
        return any(all(word in card for word in words) for card in list(self.cards.values()))


class Notebook:
    """Cells, executed."""

    def __init__(
        self,
        folder: Path,
        store: MemoryStore | None,
        *,
        mode: str = "",
        place: Place | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.pane = Pane()
        self.names: dict[str, Any] = {}
        self.place = place or Place(None, folder / "n.duckdb", mode)
        self.session = Session(self.names, self.pane, place=self.place, store=store, clock=clock)

    def step(self, name: str, source: str, **options: Any) -> None:
        """A `%%step` cell."""
        session, where = self.session, self.pane.where()
        step = step_from_cell(name, source, source, cell=self.pane.cell, **options)
        session.define([step])
        if not step.flow:
            session.expect_card(name, where)
            try:
                if not step.defer:
                    session.ask([name], by="cell", force=[name] if step.always else [])
            finally:
                session.open_card(name, where)

    def done(self, name: str, source: str, **options: Any) -> Any:
        """A `%%step` cell, waited for; the output of the step's name if there is one."""
        self.step(name, source, **options)
        self.session.wait([name], timeout=60)
        return self.names.get(name)

    def restarted(self) -> "Notebook":
        """The same notebook in a new process, as far as one can have that here."""
        store = self.session.engine.store
        if isinstance(store, MemoryStore):
            store.close = lambda: None  # type: ignore[method-assign]
        self.session.close()
        kept = store if isinstance(store, MemoryStore) else None
        return Notebook(self.place.store.parent, kept)

    def view(self, name: str) -> StepView:
        """The step as shown."""
        return self.session.view(name)
