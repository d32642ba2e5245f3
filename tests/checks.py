"""Every check of the project in one command that needs nothing but Python.

    python3 tests/checks.py                 all parts in order, up to the first that fails
    python3 tests/checks.py lint types      these parts only: lint, types, tests, browser

Inside a virtual environment the project is installed into that one, otherwise into
`build/venv`, which is made when it is missing and used again when it is there. The last
line counts: each tool is one check, and so is each test.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
PARTS = ("lint", "types", "tests", "browser")
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)


class CannotCheck(Exception):
    """Something this machine lacks; the message says what, and how to get it."""


@dataclass
class Tally:
    """How many checks passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"checks: {self.passed} passed, {self.failed} failed{skipped}"

    def add_report(self, report: Path) -> None:
        """Count the tests in a JUnit report as pytest writes it."""
        for suite in ET.parse(report).getroot().iter("testsuite"):
            count = {
                key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")
            }
            failed = count["failures"] + count["errors"]
            self.failed += failed
            self.skipped += count["skipped"]
            self.passed += count["tests"] - failed - count["skipped"]


class Checks:
    """Runs the tools of one Python environment, one after the other."""

    def __init__(self, python: Path, tally: Tally) -> None:
        self.python = str(python)
        self.tally = tally
        self.environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", "")]),
            "VIRTUAL_ENV": str(python.parent.parent),
            # Otherwise it asks the network whether there is a newer one.
            "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
        }

    def run(self, *parts: str) -> bool:
        """Run the named parts in order; False as soon as a check of one has failed."""
        return all(getattr(self, part)() for part in parts)

    def lint(self) -> bool:
        """Layout and lint rules."""
        return self._tool("ruff", "format", "--check") and self._tool("ruff", "check")

    def types(self) -> bool:
        """Both type checkers, strict."""
        link_package_for_type_checkers()
        return self._tool("mypy") and self._tool("pyright", "--pythonpath", self.python)

    def tests(self) -> bool:
        """Everything that needs no browser; on all processors, four at most."""
        return self._pytest("tests", "-n", "auto", "--maxprocesses", "4", "--dist", "worksteal")

    def browser(self) -> bool:
        """The tests in a real front end, if the project has any."""
        if not has_browser_tests():
            announce("browser")
            print("no test is marked `browser`")
            return True
        self.environment["STEPWELL_BROWSER"] = find_browser()
        return self._pytest("browser", "-m", "browser")

    def _tool(self, name: str, *arguments: str) -> bool:
        passed = self._timed(" ".join([name, *arguments[:1]]), "-m", name, *arguments)
        self.tally.passed += passed
        self.tally.failed += not passed
        return passed

    def _pytest(self, name: str, *arguments: str) -> bool:
        report = BUILD / "checks" / f"{name}.xml"
        report.unlink(missing_ok=True)
        passed = self._timed(f"pytest: {name}", "-m", "pytest", f"--junitxml={report}", *arguments)
        if report.exists():
            self.tally.add_report(report)
        # Also when pytest itself broke down and no single test is to blame.
        self.tally.failed += not passed and self.tally.failed == 0
        return passed

    def _timed(self, title: str, *arguments: str) -> bool:
        announce(title)
        started = time.monotonic()
        done = subprocess.run(
            [self.python, *arguments], cwd=ROOT, env=self.environment, check=False
        )
        outcome = "passed" if done.returncode == 0 else f"failed with exit code {done.returncode}"
        print(f"{title}: {outcome} after {time.monotonic() - started:.1f} s", flush=True)
        return done.returncode == 0


def announce(title: str) -> None:
    """A heading between the tools' own output."""
    print(f"\n── {title} ".ljust(80, "─"), flush=True)


def prepare() -> Path:
    """A Python with the project and its tools installed; installs what is missing."""
    if sys.prefix != sys.base_prefix:
        python = Path(sys.executable)
    else:
        python = BUILD / "venv" / "bin" / "python"
        if not python.exists():
            make_environment(python.parent.parent)
    install_project(python)
    return python


def make_environment(folder: Path) -> None:
    """A virtual environment with pip. Debian ships what that needs as a package of its own."""
    import venv

    announce("virtual environment")
    if importlib.util.find_spec("ensurepip") is None:
        install_debian_package("python3-venv", "Python's venv module with pip")
    venv.create(folder, with_pip=True, clear=True)


def install_project(python: Path) -> None:
    """`pip install -e .[dev]`, unless that has been done since pyproject.toml changed."""
    facts = f"{ROOT}\n{sys.version}\n".encode() + (ROOT / "pyproject.toml").read_bytes()
    state = hashlib.sha256(facts).hexdigest()
    stamp = python.parent.parent / "stepwell-installed"
    if stamp.exists() and stamp.read_text() == state:
        return
    announce("installing the project and its tools, about a minute the first time")
    command = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    if subprocess.run([*command, "-e", ".[dev]"], cwd=ROOT, check=False).returncode:
        raise CannotCheck("pip could not install the project; what it said is above")
    stamp.write_text(state)


def link_package_for_type_checkers() -> None:
    """The import package as one folder of links: checkers cannot follow the folder mapping."""
    package = BUILD / "typing" / "stepwell"
    package.mkdir(parents=True, exist_ok=True)
    targets = [path for path in (ROOT / "extension").iterdir() if path.name != "__pycache__"]
    targets += [ROOT / name for name in ("magics", "store", "widgets")]
    for stale in {link.name for link in package.iterdir()} - {target.name for target in targets}:
        (package / stale).unlink()
    for target in targets:
        link = package / target.name
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(target, package))


def has_browser_tests() -> bool:
    """Whether any test file is marked `browser`."""
    files = (ROOT / "tests").rglob("test_*.py")
    return any(re.search(r"\bmark\.browser\b", file.read_text("utf-8")) for file in files)


def find_browser() -> str:
    """The path of a Chromium or Chrome; Debian's is installed if there is none."""
    if found := next(filter(None, map(shutil.which, BROWSERS)), None):
        return found
    install_debian_package("chromium", "a Chromium or Chrome browser")
    return shutil.which("chromium") or "chromium"


def install_debian_package(name: str, what: str) -> None:
    """apt-get install, where that is possible. Raises CannotCheck with the way out elsewhere."""
    is_debian = "ID=debian" in read_if_there(Path("/etc/os-release")).splitlines()
    if not (is_debian and os.geteuid() == 0 and shutil.which("apt-get")):
        raise CannotCheck(
            f"{what} is missing. Install it and run this again "
            f"(on Debian this is done for root, or: sudo apt-get install {name})"
        )
    announce(f"apt-get install {name}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-qq", "--yes", "--no-install-recommends", name]
    for command in (["apt-get", "update", "-qq"], install):
        if subprocess.run(command, env=quiet, check=False).returncode:
            raise CannotCheck(f"{what} is missing, and `{' '.join(command)}` failed")


def read_if_there(file: Path) -> str:
    """The text of a file, or nothing."""
    return file.read_text("utf-8") if file.exists() else ""


def main() -> int:
    """Run the parts named on the command line; the exit code says whether all passed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all if none")
    chosen: list[str] = parser.parse_args().parts
    if unknown := [part for part in chosen if part not in PARTS]:
        parser.error(f"there is no part {unknown[0]!r}; there is: {', '.join(PARTS)}")
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what meets an old Python first
        parser.error(f"stepwell needs Python 3.11 or newer; this is {sys.version.split()[0]}")
    tally = Tally()
    try:
        passed = Checks(prepare(), tally).run(*(it for it in PARTS if it in (chosen or PARTS)))
    except CannotCheck as lacking:
        print(f"\n{lacking}", flush=True)
        tally.failed += 1
        passed = False
    print(f"\n{tally}", flush=True)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
