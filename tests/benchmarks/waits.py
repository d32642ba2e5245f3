"""What people wait for, each beside what it costs without stepwell.

Agents at work, a decision and what it lets go on, loading the extension, a step that comes
back after a restart, a cell of a notebook that runs without a person.
"""

import asyncio
import importlib
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

AGENTS, CALLS, PAUSE = 20, 25, 0.02
STEPS = 30


def agents(folder: Path) -> dict[str, float]:
    """20 agents at once, each making 25 durable calls of 20 ms; all is imported before."""
    import stepwell

    importlib.import_module("pydantic")  # checks what agents are given

    async def tool(agent: int, number: int) -> str:
        await asyncio.sleep(PAUSE)
        return f"{agent} {number}" + "x" * 1000

    @stepwell.agent
    async def worker(number: int) -> int:
        for turn in range(CALLS):
            await stepwell.call(tool, number, turn)
        return number

    async def team() -> list[int]:
        return await asyncio.gather(*(worker(number) for number in range(AGENTS)))

    async def alone(number: int) -> None:
        for turn in range(CALLS):
            await tool(number, turn)

    async def unkept() -> None:
        await asyncio.gather(*(alone(number) for number in range(AGENTS)))

    floor = _seconds(lambda: asyncio.run(unkept()))
    made = stepwell.step(name="team", out="done", defer=True)(team)
    with stepwell.run(folder / "agents.duckdb", steps=[_first()]) as run:
        began = time.perf_counter()
        run.add([made])
        run.wait()
        seconds = time.perf_counter() - began
    return {"s": seconds, "asyncio alone s": floor, "times": seconds / floor}


def decision(folder: Path) -> dict[str, float]:
    """From a decision's call to the first line of the step that waited for it."""
    import stepwell

    reached: list[float] = []

    def publish() -> int:
        reached.append(time.perf_counter())
        return len(reached)

    seconds: list[float] = []
    with stepwell.run(folder / "decision.duckdb", steps=[_first()]) as run:
        for number in range(STEPS):
            name = f"publish{number}"
            run.add([stepwell.step(name=name, out=f"v{number}", approve=True, defer=True)(publish)])
            _until(lambda: bool(run.inbox()))
            began = time.perf_counter()
            run.decide(name)
            run.wait()
            seconds.append(reached[-1] - began)
    return {"ms": statistics.median(seconds) * 1e3, "worst ms": max(seconds) * 1e3}


def loading(folder: Path) -> dict[str, float]:
    """`%load_ext stepwell` in a kernel, as the kernel's own clock sees it."""
    from kernels import Kernel

    seconds: list[float] = []
    for _ in range(3):
        with Kernel(folder) as kernel:
            kernel.ok("import time; began = time.perf_counter()\n%load_ext stepwell")
            seconds.append(float(kernel.value("time.perf_counter() - began")))
    return {"ms": statistics.median(seconds) * 1e3}


def restored(folder: Path) -> dict[str, float]:
    """After a restart: from sending a step's cell to its card saying that it is restored."""
    from kernels import Kernel

    cells = [f"%%step s{number}\nv{number} = {number}" for number in range(STEPS)]
    with Kernel(folder) as kernel:
        for cell in ["%load_ext stepwell", *cells, f"v{STEPS - 1}"]:
            kernel.ok(cell)
    seconds: list[float] = []
    plain: list[float] = []
    with Kernel(folder) as kernel:
        kernel.ok("%load_ext stepwell")
        for cell in cells:
            plain.append(_seconds(lambda: kernel.ok("1")))
            began = time.perf_counter()
            answer = kernel.ok(cell)
            kernel.listen_until(lambda: any("restored" in str(c) for c in kernel.cards(answer)))  # noqa: B023 -- used within its turn
            seconds.append(time.perf_counter() - began)
    return {
        "ms": statistics.median(seconds[1:]) * 1e3,
        "first ms": seconds[0] * 1e3,
        "plain cell ms": statistics.median(plain) * 1e3,
    }


def headless(folder: Path) -> dict[str, float]:
    """What `stepwell run` adds to each cell of a notebook, over nbclient by itself."""
    from nbclient import NotebookClient
    from written import read_notebook, write_notebook

    from stepwell.headless import run_notebook

    results: dict[int, tuple[float, float]] = {}
    for count in (1, 10, 210):  # the first warms up
        path = write_notebook(folder, *[f"x = {n}" for n in range(count)], name=f"{count}.ipynb")
        book = read_notebook(path)
        ours = _seconds(lambda: run_notebook(path))  # noqa: B023 -- used within its turn
        theirs = _seconds(lambda: NotebookClient(book).execute())  # noqa: B023 -- as above
        results[count] = (ours, theirs)
    cells = 200
    ours, theirs = (results[210][it] - results[10][it] for it in (0, 1))
    return {
        "ms/cell more": (ours - theirs) / cells * 1e3,
        "nbclient ms/cell": theirs / cells * 1e3,
    }


def _first() -> Any:
    import stepwell

    return stepwell.step(name="first", out="first", defer=True)(lambda: 0)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.001)
