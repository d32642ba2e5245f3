"""The magics as IPython wants them. Imported when the extension is loaded, not before."""

from collections.abc import Callable
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import (
    Magics,
    cell_magic,
    line_cell_magic,
    line_magic,
    magics_class,
    no_var_expand,
)

from stepwell.errors import InvalidUsage
from stepwell.magics._agent import AGENT_HELP, parse_agent
from stepwell.magics._completion import candidates
from stepwell.magics._port import Notebook
from stepwell.magics._setup import SETUP_HELP, remember_setup
from stepwell.magics._step import STEP_HELP, check_body, parse_step
from stepwell.magics._stepwell import STEPWELL_HELP, obey

__all__ = ["StepwellMagics", "matcher_for"]

Matcher = Callable[[CompletionContext], SimpleMatcherResult]


@magics_class
class StepwellMagics(Magics):
    """`%%step`, `%%setup`, `%agent` and `%stepwell` for one notebook."""

    def __init__(self, shell: InteractiveShell, notebook: Notebook) -> None:
        super().__init__(shell)
        self._notebook = notebook

    @no_var_expand
    @cell_magic
    def step(self, line: str, cell: str) -> object | None:
        options = parse_step(line)
        if options is None:
            print(STEP_HELP, end="")
            return None
        check_body(cell)
        return self._notebook.cell(options, cell)

    @no_var_expand
    @cell_magic
    def setup(self, line: str, cell: str) -> None:
        if line.strip() in ("--help", "-h"):
            print(SETUP_HELP, end="")
            return
        if line.strip():
            raise InvalidUsage(f"%%setup stands alone on its line; take {line.strip()!r} away")
        if not cell.strip():
            raise InvalidUsage("a setup cell needs code below the %%setup line")
        # Only reached by calling the magic from code: a typed cell is rewritten.
        remember_setup(cell)
        shell: Any = self.shell
        code = shell.transform_cell(cell)
        exec(shell.compile(code, shell.compile.cache(code), "exec"), shell.user_ns)

    @no_var_expand
    @line_magic
    def agent(self, line: str) -> object | None:
        declared = parse_agent(line)
        if declared is None:
            print(AGENT_HELP, end="")
            return None
        return self._notebook.agent(*declared)

    @no_var_expand
    @line_cell_magic
    def stepwell(self, line: str, cell: str | None = None) -> object | None:
        return obey(self._notebook, line, cell)

    step.__doc__ = STEP_HELP
    setup.__doc__ = SETUP_HELP
    agent.__doc__ = AGENT_HELP
    stepwell.__doc__ = STEPWELL_HELP


def matcher_for(notebook: Notebook) -> Matcher:
    """Completion for our lines; every other line is left to IPython."""

    def stepwell_matcher(context: CompletionContext) -> SimpleMatcherResult:
        lines = context.full_text.split("\n")
        first = not any(line.strip() for line in lines[: context.cursor_line])
        typed, offered = candidates(notebook, context.text_until_cursor, first=first)
        return {
            "completions": [SimpleCompletion(each.text, type=each.kind) for each in offered],
            "matched_fragment": typed,
            "suppress": bool(offered),
            "ordered": True,
        }

    # What IPython's own decorator sets, which is not typed.
    marked: Any = stepwell_matcher
    marked.matcher_api_version = 2
    marked.matcher_identifier = "stepwell"
    marked.matcher_priority = 100.0
    return stepwell_matcher
