"""A notebook as a script: the same steps on the same store."""

import subprocess
import sys
from pathlib import Path

from kernels import Kernel

import stepwell

CELLS = (
    "%%setup\nimport json\nfrom collections import Counter as Tally",
    "topic = 'heat pumps'\nlimits = {'most': 2, 'words': ('a', 'b')}\nimport math as maths",
    "class Pair:\n    def __init__(self, a, b):\n        self.a, self.b = a, b\n\n"
    "def shout(text, times=1):\n    '''Louder.'''\n    return marked(text).upper() * times\n\n"
    "def marked(text):\n    return text + mark\n\nmark = '!'\npair = Pair(1, 2)",
    "%%step plan\n# What to look for.\nqueries = [shout(topic), f'{maths.floor(2.5)}']\n"
    "text = '''two\n  lines\n'''\n",
    "%%step search\nimport asyncio\nawait asyncio.sleep(0)\n"
    "hits = Tally(query for query in queries[: limits['most']])\n",
    "%%step look-up --after plan --out ''\nopen('log', 'a').write(json.dumps(dict(hits)) + text)",
    "%%step total\nif pair.a:\n    total = sum(hits.values()) + pair.b\n"
    "else:\n    total = 0\ntotal",
)


def script(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run the exported script in a process of its own, with the notebook's key."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "JUPYTER_DATA_DIR": str(folder / "jupyter-data"), "HOME": str(folder)},
    )


def attempts(folder: Path) -> dict[str, int]:
    """How often each step has been tried, in all runs."""
    with stepwell.open(folder / ".stepwell" / "nb.duckdb") as store:
        assert len(store.runs()) == 1
        return dict(store.sql("select step, count(*) from attempts group by step").fetchall())


def test_a_script_reuses_the_notebooks_results(tmp_path: Path) -> None:
    """Nothing runs again; after an edit what depends on it does; the notebook goes on with that."""
    once = dict.fromkeys(("plan", "search", "look-up", "total"), 1)
    with Kernel(tmp_path) as kernel:
        kernel.ok("%load_ext stepwell")
        for source in CELLS:
            kernel.ok(source)
        kernel.ok("%stepwell wait")
        answer = kernel.ok("%stepwell export")
        shown = kernel.of(answer, "execute_result")[0]["data"]["text/plain"]
        assert "python nb.py" in shown
        kernel.shutdown()

    file = tmp_path / "nb.py"
    text = file.read_text()
    for words in (
        "topic = 'heat pumps'",
        '@stepwell.cell("plan")\ndef plan():\n    # What to look for.',
        "async def search(queries):",
        "def look_up(hits, text):",
        "@stepwell.cell(\"look-up --after plan --out ''\")",
        "import math as maths",
        "from collections import Counter as Tally",
        "class Pair:",
        'STORE = Path(__file__).parent / ".stepwell/nb.duckdb"',
    ):
        assert words in text, text
    done = script(tmp_path, "nb.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 restored" in done.stdout
    assert attempts(tmp_path) == once

    file.write_text(text.replace("'heat pumps'", "'boilers'"))
    done = script(tmp_path, "nb.py")
    assert done.returncode == 0, done.stderr
    assert attempts(tmp_path) == dict.fromkeys(once, 2)

    with Kernel(tmp_path) as kernel:
        kernel.ok("%load_ext stepwell")
        for source in CELLS:
            kernel.ok(source.replace("'heat pumps'", "'boilers'"))
        kernel.ok("%stepwell wait")
        assert kernel.value("total") == "4"
        kernel.shutdown()
    assert attempts(tmp_path) == dict.fromkeys(once, 2)


AGENT_CELLS = (
    "%%setup\nimport asyncio\ndef note(what):\n    with open('ledger', 'a') as file:\n"
    "        file.write(what + '\\n')",
    "mark = '!'\ndef shout(text):\n    return text.upper() + mark",
    "%agent researcher(topic: str, depth: int = 1) -> report --max-depth 4",
    "%%step look --agent researcher\nnote(f'look {topic}')\nhits = [shout(topic)] * 2",
    "%%step read --agent researcher --retries 1\nnote(f'read {topic}')\n"
    "below = await researcher(topic + '/below', depth=depth - 1) if depth > 1 else ''\n"
    "report = f'{topic}: {hits} {below}'",
    "%%step survey\nreports = await asyncio.gather(*(researcher(it, depth=2) for it in 'ab'))",
    "%%step look\nlook = len(reports)",
)


def test_agents_are_exported_with_their_steps(tmp_path: Path) -> None:
    """Readable, on the same store: nothing runs again, and after an edit what depends on it."""
    with Kernel(tmp_path) as kernel:
        kernel.ok("%load_ext stepwell")
        for source in AGENT_CELLS:
            kernel.ok(source)
        kernel.ok("%stepwell wait")
        kernel.ok("%stepwell export")
        reports = kernel.value("reports")
        kernel.shutdown()
    file, ledger = tmp_path / "nb.py", tmp_path / "ledger"
    text, once = file.read_text(), ledger.read_text().splitlines()
    for words in (
        'researcher = stepwell.agent("researcher(topic: str, depth: int = 1) -> report", '
        "max_depth=4)",
        '@stepwell.cell("look --agent researcher")\ndef look(topic):',
        '@stepwell.cell("read --agent researcher --retries 1")',
        "async def read(topic, depth, hits):",
        '@stepwell.cell("survey")\nasync def survey():',
        '@stepwell.cell("look")\ndef look_step(reports):',
    ):
        assert words in text, text
    done = script(tmp_path, "nb.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 restored" in done.stdout
    assert ledger.read_text().splitlines() == once
    # An edit in the agent's second step: the first is answered from the store, run by run.
    file.write_text(
        text.replace("print(run)", 'print(run["reports"])').replace("{below}'", "({below})'")
    )
    done = script(tmp_path, "nb.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == str(edited(reports))
    again = ledger.read_text().splitlines()[len(once) :]
    assert sorted(again) == sorted(it for it in once if it.startswith("read"))


def edited(reports: str) -> list[str]:
    """What the reports are after the edit."""
    hits = {it: [it.upper() + "!"] * 2 for it in ("a", "b", "a/below", "b/below")}
    below = {it: f"{it}: {hits[it]} ()" for it in ("a/below", "b/below")}
    assert reports.startswith("[\"a: ['A!', 'A!'] a/below")
    return [f"{it}: {hits[it]} ({below[f'{it}/below']})" for it in ("a", "b")]
