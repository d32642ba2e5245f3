"""Secrets among the names of a notebook."""

from collections.abc import Iterator
from typing import Any

import pytest

from stepwell.flow import BindingKind
from stepwell.store.values import SECRETS, Signer


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What one test knows to be secret is no other's."""
    SECRETS.forget()
    yield
    SECRETS.forget()


@pytest.mark.parametrize(
    "code", ["k = 's3cret-{}'", "from pydantic import SecretStr\nk = SecretStr('s3cret-{}')"]
)
def test_a_secret_is_told_apart_and_not_kept(notebook: Any, code: str) -> None:
    """By the user's key: for somebody else all digests are others, and none is a guess's."""
    SECRETS.mark("k")
    notebook.cell(code.format(1))
    captured = notebook.capture("k")
    binding = captured.bindings["k"]
    assert binding.kind is BindingKind.SECRET
    assert captured.blobs == captured.opaque == {}
    assert "s3cret" not in repr(captured.bindings)
    notebook.cell(code.format(2))
    assert notebook.digest("k") != binding.digest
    notebook.cell(code.format(1))
    assert notebook.digest("k") == binding.digest
    notebook.signer = Signer(b"another key for tests, 32 bytes..")
    assert notebook.digest("k") != binding.digest


def test_a_secret_of_pydantics_is_one_without_a_mark(notebook: Any) -> None:
    """Its type says so."""
    notebook.cell("from pydantic import SecretStr\nk = SecretStr('s3cret-1')")
    assert notebook.binding("k").kind is BindingKind.SECRET
    assert SECRETS.masked("s3cret-1") == "•••"


def test_a_secret_of_a_helper_is_one(notebook: Any) -> None:
    """A function that uses it is known by its code, the secret by itself."""
    SECRETS.mark("k")
    notebook.cell("k = 's3cret-1'\ndef ask():\n    return k")
    assert notebook.capture("ask").bindings["k"].kind is BindingKind.SECRET


def test_a_secret_does_not_come_back(notebook: Any) -> None:
    """It is said whose cell is to be run."""
    SECRETS.mark("k")
    notebook.cell("k = 's3cret-1'")
    _, restored = notebook.restarted(notebook.capture("k"))
    assert restored.names == []
    assert "secrets are not stored. Run the cell that makes it" in restored.failures["k"]
