"""The verbs of `%stepwell`: what each takes, what it promises, what it asks the notebook for."""

from stepwell.magics._budget import BUDGET_OPTIONS, budget
from stepwell.magics._duration import seconds
from stepwell.magics._limit import LIMIT_OPTIONS, limit
from stepwell.magics._options import Kind, Option, Parsed, Takes
from stepwell.magics._people import PEOPLE_VERBS
from stepwell.magics._store import store
from stepwell.magics._verb import Verb

__all__ = ["VERBS"]


def _timeout(parsed: Parsed) -> float | None:
    text = parsed.one("--timeout")
    return seconds(text, what="--timeout") if parsed.has("--timeout") else None


def _first(parsed: Parsed) -> str:
    return "".join(parsed.words[:1])


_STEPS = (Kind.STEP,)
_ALL_STEPS = (Kind.STEP, Kind.AGENT_STEP)

_ALL = (
    Verb(
        "plan",
        "[STEP…]",
        "what running would do: which steps run, which are answered from the store, and why",
        "Nothing is started. With names: only for those steps and what they read. The time is "
        "the median of what each step took before.",
        lambda notebook, parsed: notebook.plan(parsed.words, is_json=parsed.has("--json")),
        at_most=None,
        options=(
            Option("--json", help="as data, with an exit code: 0 nothing would run, 4 it would"),
        ),
        offers=_STEPS,
    ),
    Verb(
        "run",
        "[STEP…|AGENT PARAM=VALUE…]",
        "bring steps up to date in the background, or run an agent",
        "What is up to date is not run again. Without a name: every step, deferred ones too. "
        "With an agent's name: a run of it, with these parameters; values are Python literals "
        "or plain text, {EXPR} is evaluated in the notebook. Returns at once; `%stepwell wait` "
        "waits.",
        lambda notebook, parsed: notebook.run(
            parsed.words,
            fresh=parsed.has("--fresh"),
            undo_on_failure=parsed.has("--undo-on-failure"),
        ),
        at_most=None,
        options=(
            Option("--fresh", help="begin a new run that reuses nothing"),
            Option(
                "--undo-on-failure",
                help="if the run fails, undo what it has done, the newest first (--undo-of)",
            ),
        ),
        offers=_STEPS,
    ),
    Verb(
        "resume",
        "[RUN]",
        "bring back a run after a restart and go on with it",
        "Outputs, functions and constants return to the notebook, %%setup cells run again, and "
        "what had not finished goes on. Without a name: the latest run. Returns at once.",
        lambda notebook, parsed: notebook.resume(_first(parsed)),
        at_most=1,
        offers=(Kind.RUN,),
    ),
    Verb(
        "wait",
        "[STEP…]",
        "wait until steps are done",
        "Without a name: for everything that was asked for. Interrupting the cell stops the "
        "waiting, never the run.",
        lambda notebook, parsed: notebook.wait(parsed.words, timeout=_timeout(parsed)),
        at_most=None,
        options=(
            Option("--timeout", Takes.ONE, "60s", "give up waiting then; 250ms, 60s, 1.5m, 2h"),
        ),
        offers=_STEPS,
    ),
    Verb(
        "status",
        "",
        "the current run, step by step",
        "What each step is doing, since when, and what it waits for.",
        lambda notebook, parsed: notebook.status(),
    ),
    Verb(
        "view",
        "",
        "the current run to look at and to steer: flow, times, results, calls",
        "Stays in the notebook as a table; while a kernel runs it is live. After a restart "
        "this verb brings it back to life.",
        lambda notebook, parsed: notebook.view(),
    ),
    Verb(
        "runs",
        "",
        "every run in the store",
        "The current one is marked. `%stepwell show RUN` shows one of them.",
        lambda notebook, parsed: notebook.runs(),
    ),
    Verb(
        "show",
        "STEP|RUN",
        "a step's card, or a run step by step",
        "A step that is no longer up to date also says why. Of agents: AGENT and AGENT/STEP where "
        "that is one run, otherwise RUN and RUN/STEP.",
        lambda notebook, parsed: notebook.show(_first(parsed)),
        at_least=1,
        at_most=1,
        offers=(*_ALL_STEPS, Kind.RUN),
    ),
    Verb(
        "budget",
        "",
        "limit what the run may consume, or see what it has",
        "Checked before a call is made, with the most that the call may take "
        "(@stepwell.durable(max_cost=…, max_tokens=…)). A limit that is reached parks the run and "
        "asks a person; when the time is over, nothing further is started. Calls of agents that "
        "the run starts count; answers from the store do not. Kept with the run. Without options: "
        "what is used.",
        budget,
        options=BUDGET_OPTIONS,
    ),
    Verb(
        "record",
        "[FILE]",
        "record the calls of steps, to be replayed in tests",
        "From now on, durable calls that the steps' code makes are written to the file with their "
        "arguments and results, readable, sorted and without secrets, also when they are answered "
        "from the store. `stepwell run NOTEBOOK --replay FILE` answers them from it, without model "
        "and network; a call that is not in it fails with what differs from the nearest.",
        lambda notebook, parsed: notebook.record(_first(parsed), stop=parsed.has("--stop")),
        at_most=1,
        options=(Option("--stop", help="record no more"),),
    ),
    Verb(
        "rerun",
        "STEP…",
        "run steps again although nothing has changed",
        "What reads from them stays valid where their values come out equal. A step of an agent's "
        "run (RUN/STEP, or AGENT/STEP where that is one) runs again in that run, with those that "
        "have called it, and they answer all else from what is remembered.",
        lambda notebook, parsed: notebook.rerun(
            parsed.words, downstream=parsed.has("--downstream"), failed=parsed.has("--failed")
        ),
        at_least=1,
        at_most=None,
        options=(
            Option("--downstream", help="and everything that reads from them"),
            Option("--failed", help="only what of them has failed: of a mapped step, those items"),
        ),
        offers=_ALL_STEPS,
    ),
    Verb(
        "forget",
        "STEP",
        "take a step out of the flow",
        "For a step whose cell was renamed or deleted; of an agent, AGENT/STEP. What it stored "
        "stays in the store.",
        lambda notebook, parsed: notebook.forget(_first(parsed)),
        at_least=1,
        at_most=1,
        offers=_ALL_STEPS,
    ),
    Verb(
        "cancel",
        "[STEP…]",
        "stop steps, or the whole run",
        "Completed steps keep their results. `%stepwell run` starts the others again. Of agents: "
        "a run (RUN, or AGENT where only one is going on) or a step of it (RUN/STEP), alone; the "
        "call that waits for it fails.",
        lambda notebook, parsed: notebook.cancel(parsed.words, undo=parsed.has("--undo")),
        at_most=None,
        options=(
            Option(
                "--undo",
                help="and undo what is done, the newest first, by the cells that say --undo-of",
            ),
        ),
        offers=_ALL_STEPS,
    ),
    Verb(
        "pause",
        "",
        "finish what runs and start nothing more",
        "The run stays paused over a restart of the kernel, until `%stepwell resume`.",
        lambda notebook, parsed: notebook.pause(),
    ),
    Verb(
        "stop",
        "",
        "stop after the current step",
        "What runs comes to its end and is kept; what was to come is cancelled. `%stepwell run` "
        "goes on with it.",
        lambda notebook, parsed: notebook.stop(),
    ),
    Verb(
        "limit",
        "[NAME]",
        "let only so many steps and calls run at once, or begin in a while",
        "Shared by all steps with `--limit NAME` and all calls of `@stepwell.durable(limit=…)`, in "
        "all runs of the store, and kept with it. Without a name: the limits there are.",
        limit,
        at_most=1,
        options=LIMIT_OPTIONS,
    ),
    Verb(
        "history",
        "STEP",
        "every version and attempt of a step",
        "In all runs: when it ran and for whom, how long, from which inputs, how it ended, and "
        "how its code changed. Of an agent: AGENT/STEP, or RUN/STEP.",
        lambda notebook, parsed: notebook.history(_first(parsed)),
        at_least=1,
        at_most=1,
        offers=_ALL_STEPS,
    ),
    Verb(
        "diff",
        "RUN [RUN]",
        "two runs side by side: code, inputs, outputs, time",
        "With one run: that one and the current one.",
        lambda notebook, parsed: notebook.diff(*parsed.words),
        at_least=1,
        at_most=2,
        offers=(Kind.RUN,),
    ),
    Verb(
        "fork",
        "RUN",
        "go on from a run in a run of its own, with something changed",
        "The new run shares every result of RUN that the change does not concern; what reads "
        "what was changed runs again, in the background. RUN stays as it is. A value is a Python "
        "literal, or a name of the notebook, or else the text itself.",
        lambda notebook, parsed: notebook.fork(
            _first(parsed), start=parsed.one("--from"), given=parsed.all("--set")
        ),
        at_least=1,
        at_most=1,
        options=(
            Option(
                "--from",
                Takes.ONE,
                "STEP",
                "run this step, and everything that reads from it, again",
                (Kind.STEP,),
            ),
            Option(
                "--set",
                Takes.EACH,
                "NAME=VALUE",
                "another value for a constant or for a step's output; can be repeated",
                (Kind.OUTPUT,),
                is_code=True,
            ),
        ),
        offers=(Kind.RUN,),
    ),
    Verb(
        "restore",
        "STEP [RUN]",
        "the names as they stood after a step, also in a past run",
        "Its outputs, what it and the steps before it read, and the functions and constants it "
        "found, over what the notebook has under these names. Nothing is run, and no result "
        "changes.",
        lambda notebook, parsed: notebook.restore(*parsed.words, into=parsed.one("--into")),
        at_least=1,
        at_most=2,
        options=(
            Option("--into", Takes.ONE, "NAME", "as one object of that name; nothing else changes"),
        ),
        offers=(Kind.STEP, Kind.RUN),
    ),
    *PEOPLE_VERBS,
    Verb(
        "export",
        "[FILE]",
        "the steps as a plain Python script on the same store",
        "With setup cells, constants and helper functions. `python FILE` goes on with the "
        "notebook's run and reuses its results where nothing has changed. Without a name: beside "
        "the notebook.",
        lambda notebook, parsed: notebook.export(_first(parsed)),
        at_most=1,
    ),
    Verb(
        "sql",
        "QUERY",
        "ask the store",
        "The rest of the line is the query, word for word; a longer one goes below "
        "%%stepwell sql. Views: runs, steps, attempts, calls, approvals, values.",
        lambda notebook, parsed: notebook.sql(_first(parsed)),
        text="query",
        example="select * from steps",
    ),
    Verb(
        "store",
        "[PATH|vacuum|prune|check|snapshot FILE]",
        "where everything is kept and what takes the space; with a path, go on with that store",
        "A path that does not exist yet becomes a new store. `store vacuum` gives space back, "
        "`store prune --keep …` drops old runs but never the current one, `store check` "
        "verifies all that is stored, `store snapshot FILE` copies it; all also while steps run.",
        store,
        at_most=2,
        options=(
            Option(
                "--keep",
                Takes.ONE,
                "N|DURATION",
                "what prune keeps: the latest N runs, or those of the last 12h, 30d",
            ),
        ),
    ),
)

VERBS: dict[str, Verb] = {verb.name: verb for verb in _ALL}
