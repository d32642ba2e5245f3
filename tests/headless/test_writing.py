"""Reading notebook files, and writing them whole."""

import json
import stat
import threading
from pathlib import Path
from typing import Any

import nbformat
import pytest
from written import Write, cell, markdown

from stepwell.errors import InvalidUsage, StepwellError
from stepwell.headless._writing import NotebookFile
from stepwell.headless._writing import read_notebook as read

FORMAT: Any = nbformat
THIRD = """{"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [
  {"metadata": {}, "cells": [{"input": "1", "cell_type": "code", "language": "python",
    "collapsed": false, "outputs": [], "metadata": {}}]}]}"""


def test_what_is_written_is_what_nbformat_writes(write: Write, tmp_path: Path) -> None:
    """Byte for byte, first and after changes, with and without cells."""
    noted = cell('a\n ]\n"cells": [', "tag")
    noted.outputs = [FORMAT.v4.new_output("stream", text='é\n "cells": [\n ]\n')]
    for cells in [(), ("1",), (markdown("# á"), noted, "")]:
        made = read(write(*cells))
        made.metadata["cells"] = ["\n ]"]
        file = NotebookFile(tmp_path / "out.ipynb", made)
        file.write()
        for index, one in enumerate(made.cells):
            one["source"] += "\nmore"
            file.changed(index)
        file.write()

        FORMAT.write(made, tmp_path / "theirs.ipynb")

        assert (tmp_path / "out.ipynb").read_bytes() == (tmp_path / "theirs.ipynb").read_bytes()


def test_a_reader_never_sees_half_a_file(write: Write, tmp_path: Path) -> None:
    """The file is replaced, not overwritten; nothing else is left in the folder."""
    made = read(write(*["x = '" + "y" * 10_000 + "'"] * 20))
    file = NotebookFile(tmp_path / "out.ipynb", made)
    file.write()
    stop = threading.Event()
    seen: list[int] = []

    def look() -> None:
        while not stop.is_set():
            seen.append(len(json.loads((tmp_path / "out.ipynb").read_text())["cells"]))

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(50):
        file.write_anew()
    stop.set()
    reader.join()

    assert seen
    assert set(seen) == {20}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["note.ipynb", "out.ipynb"]


def test_a_folder_that_is_not_there_is_made(write: Write, tmp_path: Path) -> None:
    """And the file is readable as other new files are; one that was there keeps its mode."""
    path = tmp_path / "reports" / "today" / "out.ipynb"
    (tmp_path / "other").touch()

    NotebookFile(path, read(write("1"))).write()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode

    path.chmod(0o600)
    NotebookFile(path, read(write("1"))).write()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_place_that_cannot_be_written_is_named(write: Write, tmp_path: Path) -> None:
    """The error says which file and why."""
    made = read(write("1"))
    (tmp_path / "file").touch()

    with pytest.raises(StepwellError, match=r"file/out\.ipynb: "):
        NotebookFile(tmp_path / "file" / "out.ipynb", made).write()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON"),
        (b"print('hello')", "not JSON"),
        (b"[]", "does not say its format"),
        (b"{}", "does not say its format"),
        (b'{"nbformat": 4, "nbformat_minor": 5}', "not a valid notebook"),
        (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [1]}', "not a valid"),
        (b'{"nbformat": 99, "metadata": {}, "cells": []}', "notebook of format 99"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_a_file_that_is_no_notebook_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    """The error names the file and what is wrong with it."""
    path = tmp_path / "wrong.ipynb"
    path.write_bytes(content)

    with pytest.raises(InvalidUsage, match=says) as caught:
        read(path)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    """The error says which of the two it is."""
    with pytest.raises(InvalidUsage, match="there is no notebook"):
        read(tmp_path / "none.ipynb")
    with pytest.raises(InvalidUsage, match="is a folder"):
        read(tmp_path)


def test_ids_that_are_missing_or_double_are_mended(write: Write) -> None:
    """Without a warning: every cell has an id of its own, the same at each reading."""
    path = write("1", "2", "3")
    said = json.loads(path.read_text())
    said["cells"][1]["id"] = said["cells"][0]["id"]
    del said["cells"][2]["id"]
    path.write_text(json.dumps(said))

    ids = [one.id for one in read(path).cells]

    assert len(set(ids)) == 3
    assert ids == [one.id for one in read(path).cells]


def test_notebooks_of_older_formats_are_read(write: Write) -> None:
    """4.x keeps its minor version; 3 becomes 4."""
    path = write("1")
    said = json.loads(path.read_text())
    said["nbformat_minor"] = 4
    del said["cells"][0]["id"]
    path.write_text(json.dumps(said))
    assert (read(path).nbformat_minor, "id" in read(path).cells[0]) == (4, False)

    path.write_text(THIRD)
    assert [one.source for one in read(path).cells] == ["1"]
