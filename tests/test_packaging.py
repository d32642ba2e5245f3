"""What is shipped: every folder, every data file, and a front door that opens fast."""

import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("extension", "magics", "store", "widgets")
HEAVY = (
    "IPython anywidget cloudpickle duckdb ipykernel ipywidgets nbclient nbformat numpy pandas "
    "polars pyarrow pydantic typer zstandard"
).split()

Table = dict[str, Any]


def project() -> Table:
    """pyproject.toml, read."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def package_of(folder: Path) -> str:
    """The import name of a source folder, as pyproject.toml maps the top-level ones."""
    mapping: dict[str, str] = project()["tool"]["setuptools"]["package-dir"]
    top, *below = folder.relative_to(ROOT).parts
    name = next(name for name, path in mapping.items() if path == top)
    return ".".join([name, *below])


def source_folders() -> list[Path]:
    """Every folder that holds a Python module."""
    modules = (module for top in FOLDERS for module in (ROOT / top).rglob("*.py"))
    return sorted({module.parent for module in modules})


def data_files() -> list[Path]:
    """Every source file that is not Python: SQL, JavaScript, styles, the marker of types."""
    files = (file for top in FOLDERS for file in (ROOT / top).rglob("*") if file.is_file())
    return sorted(file for file in files if file.suffix not in {".py", ".pyc"})


def shipped_as(file: Path) -> str:
    """Where a source file stands in the wheel."""
    folder, inside = file.parent, [file.name]
    while not (folder / "__init__.py").exists():
        inside.insert(0, folder.name)
        folder = folder.parent
    return "/".join([*package_of(folder).split("."), *inside])


def run_python(python: str | Path, *arguments: str) -> str:
    """What a Python process prints. Fails with its standard error if it fails."""
    done = subprocess.run([python, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the sources, so that no earlier build can slip in."""
    copy = tmp_path_factory.mktemp("sources")
    for folder in FOLDERS:
        copytree(ROOT / folder, copy / folder, ignore=ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        (copy / file).write_bytes((ROOT / file).read_bytes())
    out = tmp_path_factory.mktemp("wheel")
    pip = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    run_python(sys.executable, *pip, "--wheel-dir", str(out), str(copy))
    return next(out.glob("stepwell-*.whl"))


def test_every_source_folder_is_a_listed_package() -> None:
    """The package list, which is written by hand, is exactly the folders that hold modules."""
    listed: list[str] = project()["tool"]["setuptools"]["packages"]
    assert listed == sorted(listed)
    assert listed == sorted(package_of(folder) for folder in source_folders())


def test_every_source_folder_says_what_it_is() -> None:
    """Each package has an `__init__.py`; none is found by accident only."""
    assert [folder for folder in source_folders() if not (folder / "__init__.py").exists()] == []


def test_wheel_has_every_module_and_data_file(wheel: Path) -> None:
    """What is in the source folders is in the wheel, under its import name."""
    modules = (file for folder in source_folders() for file in folder.glob("*.py"))
    wanted = {shipped_as(file) for file in [*modules, *data_files()]}
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert shipped == wanted


def test_wheel_has_the_types_marker_the_sql_and_the_license(wheel: Path) -> None:
    """Type checkers, the store and lawyers find what they look for."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "stepwell/py.typed" in names
    assert any(name.startswith("stepwell/store/") and name.endswith(".sql") for name in names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_wheel_imports_alone_in_a_fresh_environment(wheel: Path, tmp_path: Path) -> None:
    """The wheel installs, and its front door opens with none of its dependencies there."""
    venv.create(tmp_path, with_pip=False)
    python = tmp_path / "bin" / "python"
    install = ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    run_python(sys.executable, "-m", "pip", "--python", str(python), *install)
    where = run_python(python, "-c", "import stepwell, stepwell.errors; print(stepwell.__file__)")
    assert Path(where.strip()).is_relative_to(tmp_path)
    assert (tmp_path / "bin" / "stepwell").exists()
    assert (tmp_path / "bin" / "jupyter-stepwell").exists()


@pytest.mark.parametrize("module", ["stepwell", "stepwell.store", "stepwell.flow"])
def test_import_loads_nothing_heavy(module: str) -> None:
    """Importing costs milliseconds; what is heavy comes when it is needed."""
    program = f"import sys, {module}; print(*sys.modules)"
    loaded = set(run_python(sys.executable, "-c", program).split())
    assert sorted(loaded & set(HEAVY)) == []


def test_changelog_begins_with_the_version() -> None:
    """Whoever gets a release finds it described."""
    lines = (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines()
    newest = next(line for line in lines if line.startswith("## "))
    assert newest.split()[1] == project()["project"]["version"]
