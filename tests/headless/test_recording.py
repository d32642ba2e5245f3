"""A notebook recorded once and replayed in tests, without what it talks to."""

import json
from pathlib import Path

import pytest
from written import Write, read_notebook, texts

from stepwell.errors import InvalidUsage
from stepwell.headless import run_notebook

MODEL = """%%setup
import stepwell

@stepwell.durable
def ask(question):
    with open('log', 'a') as log: log.write(question + '\\n')
    return {'answer': question.upper()}
"""


def notebook(write: Write, question: str = "why") -> Path:
    """Asks a model, and shows what it said."""
    ask = f"%%step answer\nsaid = ask({question!r})['answer']"
    return write("%load_ext stepwell", MODEL, ask, "said")


def test_a_recorded_notebook_is_replayed_without_calling(write: Write, tmp_path: Path) -> None:
    """In a new run, whatever the store holds; a changed question is told, and not asked."""
    path, cassette = notebook(write), tmp_path / "cassette.json"
    assert run_notebook(path, record=cassette).exit_code == 0
    (call,) = json.loads(cassette.read_text())["calls"]
    assert (call["arguments"], call["result"]) == ({"question": "why"}, {"answer": "WHY"})
    before = cassette.read_bytes()

    replayed = run_notebook(path, replay=cassette)
    assert (replayed.exit_code, replayed.message) == (0, "")
    assert texts(read_notebook(replayed.output).cells[3]) == ["'WHY'"]

    changed = run_notebook(notebook(write, "how"), replay=cassette)
    assert changed.exit_code == 1
    assert "is not in cassette.json" in changed.message
    assert (tmp_path / "log").read_text().split() == ["why"]
    assert cassette.read_bytes() == before


def test_a_recording_that_is_not_there_is_refused(write: Write, tmp_path: Path) -> None:
    """Before a kernel is started; so is recording and replaying at once."""
    path = notebook(write)
    with pytest.raises(InvalidUsage, match=r"no recording at .*--record"):
        run_notebook(path, replay=tmp_path / "gone.json")
    with pytest.raises(InvalidUsage, match="choose"):
        run_notebook(path, replay=path, record=path)
