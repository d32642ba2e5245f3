"""A notebook of thirty steps that write down, outside the store, when they begin and end.

Chains, fans, async and sync steps, helpers of the notebook and a setup cell. Each line of
the ledger is on disk before the step goes on: `begin NAME PID` and `end NAME PID`.
"""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

__all__ = ["NAMES", "Line", "begun", "ended", "expected", "notebook", "read_ledger"]

# Step → what it reads. Numbers are taken from its name, so the two cannot drift apart.
_READS: dict[int, tuple[int, ...]] = {
    0: (),
    **{number: (number - 1,) for number in range(1, 6)},  # a chain
    **dict.fromkeys(range(6, 12), (5,)),  # a fan of sync steps
    12: tuple(range(6, 12)),
    **dict.fromkeys(range(13, 19), (12,)),  # a fan of async steps
    19: tuple(range(13, 19)),
    **{number: (number - 1,) for number in range(20, 25)},  # a chain of both kinds
    25: (),
    26: (25, 4),
    27: (24, 26),
    28: (24,),
    29: (27, 28),
}

NAMES = tuple(f"s{number:02}" for number in _READS)

_HELPERS = """
LEDGER = {ledger!r}

def note(word, name):
    descriptor = os.open(LEDGER, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{{word}} {{name}} {{os.getpid()}}\\n".encode())
    os.fsync(descriptor)
    os.close(descriptor)

def combine(name, *parts):
    text = repr((name, parts))
    return {{"name": name, "sum": hashlib.sha256(text.encode()).hexdigest(), "parts": len(parts)}}
"""


class Line(NamedTuple):
    """One line of the ledger."""

    word: str
    name: str
    process: int


def notebook(ledger: Path) -> list[str]:
    """The cells, as they are executed by Run All."""
    return [
        "%load_ext stepwell",
        "%%setup\nimport asyncio, hashlib, os, time\nawait asyncio.sleep(0)",
        _HELPERS.format(ledger=str(ledger)),
        *(_step(number) for number in _READS),
        "print(v29['sum'])",
    ]


def _step(number: int) -> str:
    name, reads = f"s{number:02}", _READS[number]
    # 5 to 60 ms: long enough to be hit, short enough for many.
    seconds = (5 + (number * 37) % 56) / 1000
    is_async = 13 <= number <= 18 or number in {21, 23}
    sleep = f"await asyncio.sleep({seconds})" if is_async else f"time.sleep({seconds})"
    arguments = ", ".join([repr(name), *(f"v{read:02}" for read in reads)])
    return (
        f"%%step {name}\nnote('begin', {name!r})\nprint('this is', {name!r})\n{sleep}\n"
        f"v{number:02} = combine({arguments})\nnote('end', {name!r})"
    )


def expected(ledger: Path) -> dict[str, object]:
    """Every output, computed in one go without stepwell."""
    namespace: dict[str, object] = {}
    source = "import hashlib, os\n" + _HELPERS.format(ledger=str(ledger))
    for number, reads in sorted(_READS.items()):
        arguments = ", ".join([repr(f"s{number:02}"), *(f"v{read:02}" for read in reads)])
        source += f"v{number:02} = combine({arguments})\n"
    exec(source, namespace)
    return {f"v{number:02}": namespace[f"v{number:02}"] for number in _READS}


def read_ledger(ledger: Path) -> list[Line]:
    """What the steps have written, whole lines only."""
    if not ledger.exists():
        return []
    lines = ledger.read_text().split("\n")[:-1]
    return [Line(word, name, int(process)) for word, name, process in map(str.split, lines)]


def begun(lines: list[Line]) -> Counter[str]:
    """How often each step's code was entered."""
    return Counter(line.name for line in lines if line.word == "begin")


def ended(lines: list[Line]) -> Counter[str]:
    """How often each step's code came to its end."""
    return Counter(line.name for line in lines if line.word == "end")
