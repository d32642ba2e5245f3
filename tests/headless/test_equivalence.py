"""A notebook without steps comes out as nbclient alone makes it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from written import Write, cell, markdown, read_notebook, texts

from stepwell.headless import run_notebook

OUTPUTS = (
    markdown("# Outputs of every kind"),
    "a = 1\na",
    "import sys\nprint('out'); print('err', file=sys.stderr); print('out again')",
    "import sys, time\nfor i in range(3):\n    print(i, flush=True); time.sleep(0.05)",
    "from IPython.display import HTML, display, clear_output, update_display\n"
    "h = display(HTML('<b>x</b>'), display_id='here')\ndisplay('second', display_id='there')",
    "h.update('changed from below'); display('again', display_id='there')",
    "print('a'); clear_output(); print('b')",
    "print('a'); clear_output(wait=True); print('b', flush=True)\nclear_output(wait=True)",
    "",
    cell("'left as it is'", "skip-execution"),
    cell("1/0", "raises-exception"),
    cell("raise SystemExit(3)", "raises-exception"),
    cell("%no_such_magic", "raises-exception"),
    cell("a = = 1", "raises-exception"),
    cell("raise KeyboardInterrupt", "raises-exception"),
    cell("input('name?')", "raises-exception"),
    "import asyncio\nawait asyncio.sleep(0.01)\n'awaited'",
    "%who_ls\n!echo shell",
    "get_ipython().get_parent()['content']['allow_stdin']",
    "import ipywidgets\nbox = ipywidgets.Output()\nwith box: print('in the box')\nbox",
    "box.clear_output()\nslider = ipywidgets.IntSlider(3)\nslider",
    "slider.value = 7\nbox.append_stdout('more')",
    "import os\nsorted(k for k in globals() if len(k) == 1), os.getcwd()",
    "None;",
    "a?",
    "exit",
)
TROUBLE: dict[str, tuple[str | NotebookNode, ...]] = {
    "an error": ("print('before')", "print('x')\nraise ValueError('no')", "'never'"),
    "a usage error": ("%%time\n", "%matplotlib --nonsense", "'never'"),
}


def test_outputs_are_those_of_nbclient(write: Write) -> None:
    """Every kind of output, tag and widget: the same cells, counts, outputs and metadata."""
    path = write(*OUTPUTS)

    theirs = executed_by_nbclient(path)
    result = run_notebook(path)

    ours = read_notebook(result.output)
    assert result.exit_code == 0
    assert comparable(ours) == comparable(theirs)


@pytest.mark.parametrize("cells", TROUBLE.values(), ids=TROUBLE)
def test_errors_are_those_of_nbclient(write: Write, cells: tuple[str | NotebookNode, ...]) -> None:
    """The same error at the same cell, with the same outputs up to there."""
    path = write(*cells)

    notebook = read_notebook(path)
    with pytest.raises(CellExecutionError) as caught:
        client(notebook, path.parent).execute()
    result = run_notebook(path)

    assert result.failed_cell is not None
    assert result.failed_cell.error == f"{caught.value.ename}: {caught.value.evalue}"
    assert comparable(read_notebook(result.output)) == comparable(notebook)


def test_a_dead_kernel_is_one_for_both(write: Write) -> None:
    """The same cells have outputs when the kernel has died."""
    path = write("print('before')", "import os; os._exit(1)", "'never'")

    notebook = read_notebook(path)
    with pytest.raises(DeadKernelError):
        client(notebook, path.parent).execute()
    result = run_notebook(path)

    ours = read_notebook(result.output)
    assert result.message == "the kernel died in cell 2"
    assert [texts(one) for one in ours.cells] == [texts(one) for one in notebook.cells]


def executed_by_nbclient(path: Path) -> NotebookNode:
    """The notebook as nbclient alone executes it."""
    return client(read_notebook(path), path.parent).execute()


def client(notebook: NotebookNode, folder: Path) -> NotebookClient:
    """nbclient with the settings it has by itself."""
    return NotebookClient(notebook, resources={"metadata": {"path": str(folder)}})


def comparable(notebook: NotebookNode) -> Any:
    """The notebook without what differs from one execution to the next."""
    cells: list[dict[str, Any]] = [{**one, "metadata": {**one.metadata}} for one in notebook.cells]
    for one in cells:
        one["metadata"].pop("stepwell", None)
        one["metadata"].pop("execution", None)
        one["outputs"] = joined(one.get("outputs", []))
    metadata = dict(notebook.metadata)
    models = metadata.pop("widgets", {}).get("application/vnd.jupyter.widget-state+json", {})
    widgets = sorted(map(without_ids, models.get("state", {}).values()))
    return [without_ids(one) for one in cells], without_ids(metadata), widgets


def without_ids(said: Any) -> str:
    """The JSON of it, with all ids of widgets and kernels alike."""
    text = json.dumps(said, sort_keys=True, indent=1)
    return re.sub(r"[0-9a-f]{32}|ipykernel_\d+/\d+", "id", text)


def joined(outputs: list[Any]) -> list[Any]:
    """The outputs with the text of each stream in one piece; how it is cut is chance."""
    whole: list[Any] = []
    for out in outputs:
        said = dict(out)
        if whole and said["output_type"] == "stream" and said["name"] == whole[-1].get("name"):
            whole[-1]["text"] += said["text"]
        else:
            whole.append(said)
    return whole
