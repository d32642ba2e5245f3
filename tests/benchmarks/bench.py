"""What durability costs: measured beside a floor, in the same run.

    python tests/benchmarks/bench.py [PART…]    (one of them is `resume`; all without a word)

Durability: every result is on disk (one fdatasync per commit) before the next step starts.
The floor is the same bytes appended to a file with one fdatasync each. Machines differ and
are noisy: read the ratios. Each part runs in a process of its own.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import waits

KB = "x" * 1000


def floor_chain(folder: Path, count: int) -> float:
    """Seconds to append `count` records of 1.2 KB, each synced before the next."""
    descriptor = os.open(folder / "floor", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    record = b"x" * 1200
    began = time.perf_counter()
    for _ in range(count):
        os.write(descriptor, record)
        os.fdatasync(descriptor)
    seconds = time.perf_counter() - began
    os.close(descriptor)
    return seconds


def floor_group(folder: Path, count: int, group: int = 64) -> float:
    """Seconds to append `count` records of 1.2 KB, synced in groups."""
    descriptor = os.open(folder / "floor-group", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    began = time.perf_counter()
    for _ in range(count // group):
        os.write(descriptor, b"x" * 1200 * group)
        os.fdatasync(descriptor)
    seconds = time.perf_counter() - began
    os.close(descriptor)
    return seconds


def make_steps(count: int, *, chained: bool) -> list[object]:
    """Function steps that give 1 KB each; chained, each reads the one before."""
    import stepwell

    steps: list[object] = []
    for number in range(count):
        source = (
            f"def s{number}({f'v{number - 1}' if chained and number else ''}):\n    return KB\n"
        )
        namespace: dict[str, object] = {"KB": KB, "__name__": "bench"}
        exec(source, namespace)
        function = namespace[f"s{number}"]
        steps.append(stepwell.step(out=f"v{number}", defer=True)(function))  # type: ignore[type-var]
    return steps


def timed_run(store: Path, steps: list[object]) -> float:
    """Seconds from asking for the steps to the last result on disk and in hand."""
    import stepwell

    with stepwell.run(
        store, steps=[stepwell.step(name="first", out="first", defer=True)(lambda: 0)]
    ) as run:
        began = time.perf_counter()
        run.add(steps)  # type: ignore[arg-type]
        run.wait()
        return time.perf_counter() - began


def chain(folder: Path) -> dict[str, float]:
    """1,000 steps, each reading the one before."""
    steps = make_steps(1000, chained=True)
    floor = floor_chain(folder, 1000)
    seconds = timed_run(folder / "chain.duckdb", steps)
    return {
        "steps/s": 1000 / seconds,
        "ms/step": seconds,
        "floor ms/step": floor,
        "times floor": seconds / floor,
    }


def calls(folder: Path) -> dict[str, float]:
    """1,000 durable calls within a step, one after the other; then 1,000 at once."""
    import asyncio

    import stepwell

    async def tool(number: int) -> str:
        return KB + str(number)

    async def turns(count: int) -> list[float]:
        began = time.perf_counter()
        for number in range(count):
            await stepwell.call(tool, number)
        middle = time.perf_counter()
        await asyncio.gather(*[stepwell.call(tool, -number) for number in range(1, count + 1)])
        return [middle - began, time.perf_counter() - middle]

    floor = floor_chain(folder, 1000)
    made = stepwell.step(out="seconds", defer=True)(turns)
    with stepwell.run(folder / "calls.duckdb", steps=[made], count=1000) as run:
        one_by_one, at_once = run["seconds"]
    return {
        "calls/s": 1000 / one_by_one,
        "ms/call": one_by_one,
        "floor ms/call": floor,
        "times floor": one_by_one / floor,
        "calls/s at once": 1000 / at_once,
    }


def fan(folder: Path) -> dict[str, float]:
    """10,000 steps that wait for nothing."""
    steps = make_steps(10_000, chained=False)
    floor = floor_group(folder, 10_000)
    seconds = timed_run(folder / "fan.duckdb", steps)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "steps/s": 10_000 / seconds,
        "µs/step": seconds * 100,
        "floor steps/s": 10_000 / floor,
        "peak MB": peak,
    }


def items(folder: Path) -> dict[str, float]:
    """A mapped step over 10,000 elements."""
    import stepwell

    @stepwell.step(out="whole", map=("part", "parts"), defer=True)
    def each(part: int) -> str:
        return f"{part}{KB}"

    floor = floor_group(folder, 10_000)
    first = stepwell.step(name="first", out="parts", defer=True)(lambda: list(range(10_000)))
    with stepwell.run(folder / "items.duckdb", steps=[first]) as run:
        began, worked = time.perf_counter(), time.process_time()
        run.add([each])
        run.wait()
        seconds, work = time.perf_counter() - began, time.process_time() - worked
    return {
        "items/s": 10_000 / seconds,
        "µs/item": seconds * 100,
        "µs of processor/item": work * 100,
        "floor items/s": 10_000 / floor,
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def resume_prepare(folder: Path, count: int) -> None:
    """A store with `count` completed steps and one that is pending."""
    steps = make_steps(count, chained=False)
    timed_run(folder / f"resume-{count}.duckdb", steps)


def resume_open(folder: Path, count: int) -> dict[str, float]:
    """From a started Python to the run's state in memory."""
    began = time.perf_counter()
    from stepwell.orchestrator import load, runs
    from stepwell.store import open_store

    store = open_store(folder / f"resume-{count}.duckdb")
    run = runs(store)[-1][0]
    state = load(store, run)
    seconds = time.perf_counter() - began
    assert sum(step.is_settled for step in state.steps.values()) == count + 1
    store.close()
    return {"s": seconds}


def latency(folder: Path) -> dict[str, float]:
    """How long the kernel takes to answer `1` while 10,000 steps run."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
    from kernels import Kernel

    results: dict[str, float] = {}
    with Kernel(folder) as kernel:
        kernel.ok("import sys; sys.path.insert(0, " + repr(str(Path(__file__).parent)) + ")")
        kernel.ok("import bench, stepwell, threading, pathlib")
        idle = [_answer(kernel) for _ in range(100)]
        kernel.ok(
            "steps = bench.make_steps(10_000, chained=False)\nseconds = []\n"
            f"store = pathlib.Path({str(folder)!r}) / 'latency.duckdb'\n"
            "def work(): seconds.append(bench.timed_run(store, steps))\n"
            "worker = threading.Thread(target=work)\n"
            "worker.start()"
        )
        busy: list[float] = []
        while kernel.value("worker.is_alive()") == "True":
            busy.append(_answer(kernel))
        results["busy s"] = float(kernel.value("seconds[0]"))
    return {**results, **_percentiles(idle, busy)}


def item_latency(folder: Path) -> dict[str, float]:
    """How long the kernel takes to answer `1` while a mapped step goes over 10,000 elements."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
    from kernels import Kernel

    with Kernel(folder) as kernel:
        kernel.ok("%load_ext stepwell")
        kernel.ok("%%step first\nparts = list(range(10_000))")
        kernel.ok("parts")
        idle = [_answer(kernel) for _ in range(100)]
        began = time.perf_counter()
        kernel.ok(f"%%step each --map part=parts\nwhole = f'{{part}}{KB}'")
        busy: list[float] = []
        while kernel.value("'whole' in globals()") != "True":
            busy.append(_answer(kernel))
        seconds = time.perf_counter() - began
    return {"busy s": seconds, **_percentiles(idle, busy)}


def _percentiles(idle: list[float], busy: list[float]) -> dict[str, float]:
    results: dict[str, float] = {}
    for label, times in (("idle", idle), ("busy", busy)):
        results[f"{label} p50 ms"] = statistics.median(times) * 1e3
        results[f"{label} p99 ms"] = sorted(times)[int(len(times) * 0.99)] * 1e3
    results["samples"] = len(busy)
    return results


def _answer(kernel: object) -> float:
    began = time.perf_counter()
    kernel.value("1")  # type: ignore[attr-defined]
    return time.perf_counter() - began


def start(folder: Path) -> dict[str, float]:
    """From the start of Python to the first durable step, as a whole process."""
    code = (
        "import stepwell, sys\n"
        "@stepwell.step(out='x')\n"
        "def one():\n    return 1\n"
        "with stepwell.run(sys.argv[1]) as run:\n    assert run['x'] == 1\n"
    )
    script = folder / "first.py"
    script.write_text(code)
    seconds: list[float] = []
    for number in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, str(script), str(folder / f"{number}.duckdb")], check=True)
        seconds.append(time.perf_counter() - began)
    floor: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import duckdb; duckdb.connect()"], check=True)
        floor.append(time.perf_counter() - began)
    return {"s": statistics.median(seconds), "python + duckdb s": statistics.median(floor)}


PARTS: dict[str, Callable[[Path], dict[str, float]]] = {
    "chain": chain,
    "calls": calls,
    "fan": fan,
    "items": items,
    "latency": latency,
    "item_latency": item_latency,
    "start": start,
    "agents": waits.agents,
    "decision": waits.decision,
    "loading": waits.loading,
    "restored": waits.restored,
    "headless": waits.headless,
}
RESUMES = (1_000, 10_000, 100_000)


def in_process(part: str, folder: Path) -> dict[str, float]:
    """Run one part in a fresh Python; what it prints is its result."""
    command = [sys.executable, __file__, "--part", part, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def run_part(part: str, folder: Path) -> dict[str, float]:
    """One part, here."""
    kind, _, count = part.partition(":")
    if kind == "prepare":
        resume_prepare(folder, int(count))
        return {}
    if kind == "resume":
        return resume_open(folder, int(count))
    return PARTS[part](folder)


def main() -> None:
    """Measure what was asked for, or everything, three times; print medians."""
    if sys.argv[1:2] == ["--part"]:
        print(json.dumps(run_part(sys.argv[2], Path(sys.argv[3]))))
        return
    chosen = sys.argv[1:] or [*PARTS, "resume"]
    for part in chosen:
        if part == "resume":
            for count in RESUMES:
                with tempfile.TemporaryDirectory(dir=".") as folder:
                    in_process(f"prepare:{count}", Path(folder))
                    _print(
                        f"resume {count:,}",
                        [in_process(f"resume:{count}", Path(folder)) for _ in range(3)],
                    )
                    for shortcuts in Path(folder).glob("*.shortcuts"):
                        shutil.rmtree(shortcuts)
                        _print(
                            "… all records",
                            [in_process(f"resume:{count}", Path(folder)) for _ in range(3)],
                        )
            continue
        results: list[dict[str, float]] = []
        for _ in range(3):
            with tempfile.TemporaryDirectory(dir=".") as folder:
                results.append(in_process(part, Path(folder).absolute()))
        _print(part, results)


def _print(label: str, results: list[dict[str, float]]) -> None:
    medians = {key: statistics.median(result[key] for result in results) for key in results[0]}
    print(
        f"{label:16}",
        "  ".join(f"{key} {value:,.2f}" for key, value in medians.items()),
        flush=True,
    )


if __name__ == "__main__":
    main()
