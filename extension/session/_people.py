"""Which steps cannot go on before a person has decided. Read on any thread."""

from collections.abc import Iterator

from stepwell.errors import NeedsPerson
from stepwell.orchestrator import Approval, Orchestrator, State, closure

__all__ = ["needs_person", "question_before", "question_below"]


def question_before(orchestrator: Orchestrator, state: State, name: str) -> Approval | None:
    """The oldest open question that the step or one it reads from waits for; a child run's too."""
    if not (state.pending or state.children):
        return None
    steps = set(closure(state, [name])) if name in state.flow else {name}
    return next(_open(orchestrator, state, steps), None)


def question_below(orchestrator: Orchestrator, run: str) -> Approval | None:
    """The oldest open question of this run, or of one that it has called."""
    state = orchestrator.find(run)
    return next(_open(orchestrator, state, None), None) if state is not None else None


def _open(orchestrator: Orchestrator, state: State, steps: set[str] | None) -> Iterator[Approval]:
    # Copies: the orchestrator's thread goes on meanwhile.
    for each in tuple(state.pending):
        approval = state.approvals[each]
        is_meant = steps is None or approval.step in steps or _is_held(state, steps, approval)
        if approval.is_pending and is_meant and not _has_failed(state, approval.step):
            yield approval
    for step, children in tuple(state.children.items()):
        if steps is not None and step not in steps:
            continue
        for child in tuple(children):
            if (below := orchestrator.find(child)) is not None:
                yield from _open(orchestrator, below, None)


def _is_held(state: State, steps: set[str], approval: Approval) -> bool:
    """Whether the run asks for more of a budget, and one of these steps is not to start before
    it has it, or has called a run that is not to go on.
    """
    if approval.request.form != "budget" or approval.step:
        return False
    found = [state.steps[name] for name in steps if name in state.steps]
    return any(it.owed and (it.running is None or it.name in state.children) for it in found)


def _has_failed(state: State, name: str) -> bool:
    """What came of an item of it may not be known; it is not what the step is held by."""
    step = state.steps.get(name)
    return step is not None and step.error is not None and not step.owed


def needs_person(name: str, approval: Approval) -> NeedsPerson:
    """What is said to whoever waits for the step."""
    asked = approval.request
    is_named = approval.step == name and " " not in approval.place
    which = approval.place if is_named else approval.id
    match asked.form:
        case "ask":
            said = f"respond {which} ANSWER"
        case "in_doubt":
            result = " RESULT" if asked.edit else ""
            said = f"respond {which}{result} (or approve {which}, or reject {which})"
        case _:
            said = f"approve {which} (or reject {which})"
    question = asked.question if asked.question[-1:] in "?!." else f"{asked.question}."
    return NeedsPerson(name, question, f"%stepwell {said}", approval.id)
