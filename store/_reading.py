"""Records as they are read back."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from stepwell.store._instance import Instance
from stepwell.store._packing import LARGEST, SEPARATOR, unpack
from stepwell.store._port import Row

__all__ = ["read_latest", "read_rows"]


def read_rows(
    instance: Instance,
    run: str | None,
    after: int,
    until: int | None,
    kinds: Iterable[str] | None,
) -> list[Row]:
    """As `Store.rows` promises."""
    name = "rows"
    parameters: dict[str, Any] = {"after": after, "until": LARGEST if until is None else until}
    if run is not None:
        name += "_of_run"
        parameters["run"] = run
    if kinds is not None:
        name += "_of_kinds" if run is None else "_and_kinds"
        wanted = parameters["kinds"] = list(kinds)
        parameters["sought"] = SEPARATOR.join(["", *wanted, ""]) if len(wanted) == 1 else ""
    rows = _all(instance, name, parameters)
    if any(later.seq < earlier.seq for earlier, later in pairwise(rows)):
        rows.sort(key=lambda row: row.seq)
    return rows


def read_latest(instance: Instance, run: str, kinds: Iterable[str]) -> list[Row]:
    """As `Store.latest` promises."""
    return _all(instance, "latest", {"run": run, "kinds": list(kinds)})


def _all(instance: Instance, name: str, parameters: dict[str, Any]) -> list[Row]:
    return [row for rows in instance.stream(name, parameters) for row in unpack(rows)]
