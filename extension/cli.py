"""The command line: `stepwell …`, also as `jupyter stepwell …`.

Exit codes: 0 done, 1 failed, 2 usage, 3 when a run waits for a person.
Everything is told on standard error, in one or two lines where it can be.
"""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from stepwell.session import Look

__all__ = ["main"]

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)


def main() -> None:
    """Run the command given in `sys.argv` and exit with its code."""
    sys.exit(_invoke(app, Path(sys.argv[0]).name.replace("jupyter-stepwell", "jupyter stepwell")))


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"stepwell {version('stepwell')}")
        raise typer.Exit


@app.callback()
def stepwell(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """Notebooks whose cells are steps that survive."""


@app.command()
def run(  # noqa: PLR0917 - typer makes the command's arguments and options of these
    notebook: Annotated[Path, typer.Argument(help="The notebook to execute; it stays as it is.")],
    output: Annotated[
        Path | None,
        typer.Option(help="The executed notebook.  [default: STEM.executed.ipynb beside it]"),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Where results are kept.  [default: .stepwell/STEM.duckdb beside it]"),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "-p", "--parameter", metavar="NAME=VALUE", help="Set a parameter; can be repeated."
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Reuse nothing: begin a new run.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue; fail if there is nothing to continue.")
    ] = False,
    timeout: Annotated[
        float | None, typer.Option(metavar="S", help="Seconds for everything together.")
    ] = None,
    kernel: Annotated[
        str | None, typer.Option(metavar="NAME", help="The kernel, if not the notebook's own.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Record durable calls in this file.")
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Answer durable calls from a recording, in a new run."),
    ] = None,
) -> None:
    """Execute a notebook in a fresh kernel, wait for its steps, write the executed notebook."""
    from stepwell.errors import InvalidUsage
    from stepwell.headless import parse_parameters, progress_on, report, run_notebook

    if fresh and resume:
        raise InvalidUsage("--fresh begins a new run and --resume continues one; choose")
    result = run_notebook(
        notebook,
        output=output,
        store=store,
        parameters=parse_parameters(parameter or []),
        mode="fresh" if fresh else "resume" if resume else "",
        timeout=timeout,
        kernel=kernel,
        record=record,
        replay=replay,
        progress=progress_on(sys.stderr),
    )
    _say(report(result, colours=_has_colours()))
    raise typer.Exit(result.exit_code)


@app.command()
def resume(
    notebook: Annotated[Path, typer.Argument(help="The notebook, whose run is to go on.")],
    store: Annotated[Path | None, typer.Option(help="Where its results are kept.")] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="S", help="Seconds for everything together.")
    ] = None,
) -> None:
    """Continue a notebook's run: `run --resume`."""
    run(notebook, store=store, timeout=timeout, resume=True)


StoreOrNotebook = Annotated[Path, typer.Argument(help="The store, or its notebook.")]
Which = Annotated[str, typer.Argument(metavar="STEP|ID", help="The step that asks, or the id.")]


@app.command()
def inbox(store: StoreOrNotebook) -> None:
    """List what waits for a person in a store's runs."""
    from stepwell import deciding

    typer.echo(deciding.inbox(store))


@app.command()
def approve(
    store: StoreOrNotebook,
    which: Which = "",
    *,
    note: Annotated[str, typer.Option(help="A remark that is kept with the decision.")] = "",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change what is approved."),
    ] = None,
    always: Annotated[
        bool, typer.Option("--always", help="Also for further calls of the same tool.")
    ] = False,
) -> None:
    """Say yes to what a step has asked."""
    from stepwell import deciding

    _say(deciding.approve(store, which, note, changes or [], always=always))


@app.command()
def reject(
    store: StoreOrNotebook,
    which: Which,
    reason: Annotated[list[str] | None, typer.Argument(help="Why.")] = None,
) -> None:
    """Say no to what a step has asked."""
    from stepwell import deciding

    _say(deciding.reject(store, which, " ".join(reason or [])))


@app.command()
def respond(
    store: StoreOrNotebook,
    which: Which,
    answer: Annotated[str, typer.Argument(help="JSON, or a text.")] = "",
) -> None:
    """Answer what a step has asked."""
    from stepwell import deciding

    _say(deciding.respond(store, which, answer))


@app.command()
def cancel(
    store: StoreOrNotebook,
    steps: Annotated[
        list[str] | None, typer.Argument(metavar="[STEP]...", help="These, instead of all.")
    ] = None,
    run: Annotated[
        str, typer.Option("--run", metavar="RUN", help="Another run than the latest.")
    ] = "",
) -> None:
    """Have what was not finished go on no more. Completed steps keep their results."""
    from stepwell import session

    _say(f"run {session.cancel(store, steps or [], run)}: cancelled")


# -- looking at a store that nobody has open ------------------------------------------------

At = Annotated[
    Path | None,
    typer.Argument(
        metavar="NOTEBOOK|STORE",
        help="A notebook or its store.  [default: the only store in .stepwell]",
    ),
]
OfRun = Annotated[str, typer.Option("--run", metavar="RUN", help="Another run than the latest.")]


@app.command()
def status(at: At = None, run: OfRun = "") -> None:
    """A run, step by step. Exits with 1 if it has failed, with 3 if it needs a person."""
    with _looking(at) as look:
        print(look.status(run))
        code = look.exit_code(run)
    raise typer.Exit(code)


@app.command()
def runs(at: At = None) -> None:
    """Every run in the store."""
    with _looking(at) as look:
        print(look.runs())


@app.command()
def show(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[NOTEBOOK|STORE] STEP|RUN",
            help="Where, and what to show.  [default: the only store in .stepwell]",
        ),
    ],
    run: OfRun = "",
) -> None:
    """A step's card, or a run step by step."""
    at, name = _place_and_name(words)
    with _looking(at) as look:
        print(look.show(name, run))


@app.command()
def plan(
    at: At = None,
    is_json: Annotated[bool, typer.Option("--json", help="As data.")] = False,
) -> None:
    """What running would do. Exits with 0 for nothing, 4 for something, 3 for a person's turn.

    With a notebook, its cells as they are in the file are compared with what is stored.
    """
    # A notebook that has never run has a plan, too.
    with _looking(at, must_exist=at is None or at.suffix != ".ipynb") as look:
        view, code = look.plan(is_json=is_json)
    print(view)
    raise typer.Exit(code)


@app.command()
def export(
    at: At = None,
    file: Annotated[
        Path | None,
        typer.Option("--output", help="The script.  [default: beside the notebook or store]"),
    ] = None,
    run: OfRun = "",
) -> None:
    """Write the steps as a plain Python script that goes on on the same store."""
    from stepwell.place import locate

    notebook, store = locate(at)
    with _looking(at) as look:
        print(look.export(file or (notebook or store).with_suffix(".py"), run))


def _place_and_name(words: list[str]) -> tuple[Path | None, str]:
    """What is where, whichever is said first."""
    if len(words) == 1:
        return None, words[0]
    if len(words) > 2:
        from stepwell.errors import InvalidUsage

        raise InvalidUsage(f"show takes one step or run, and got {', '.join(words[1:])}")
    first, second = words
    if not _is_place(first) and _is_place(second):
        first, second = second, first
    return Path(first), second


def _is_place(word: str) -> bool:
    return word.endswith((".ipynb", ".duckdb")) or Path(word).exists()


@contextmanager
def _looking(at: Path | None, *, must_exist: bool = True) -> "Generator[Look]":
    from stepwell.place import locate
    from stepwell.session import Look
    from stepwell.store import MemoryStore, open_store

    notebook, path = locate(at, must_exist=must_exist)
    store = open_store(path, create=False) if path.exists() else MemoryStore()
    try:
        yield Look(store, notebook)
    finally:
        store.close()


def _has_colours() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _invoke(command: typer.Typer, name: str) -> int:
    from stepwell.errors import InvalidUsage, StepwellError

    try:
        code: Any = command(prog_name=name, standalone_mode=False)
    except StepwellError as error:
        _say(f"stepwell: {error}")
        return 2 if isinstance(error, InvalidUsage) else 1
    except Exception as error:
        # Which package this class is from depends on the version of typer.
        if not hasattr(error, "format_message"):
            raise
        return _tell_usage(error, name)
    return code if isinstance(code, int) else 0


def _tell_usage(error: Any, name: str) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else name
    message: str = error.format_message()
    if "\n" in message:
        # Called without anything: the message is the help.
        _say(message)
    else:
        _say(f"stepwell: {message}\nTry: {path} --help")
    return 2


if __name__ == "__main__":
    main()
