"""Figures that a step leaves open."""

import sys
from types import ModuleType

import pytest

from stepwell.session._figures import show_new_figures


def test_pyplot_that_is_just_being_imported_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another step may have begun to; it has no figures yet, and this one does not fail for it."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", ModuleType("matplotlib.pyplot"))
    show_new_figures()
