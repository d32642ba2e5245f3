"""What the notebook asks the model. Any model that can read could be asked the same."""

from collections.abc import Mapping, Sequence

from quickstart.search import Passage

__all__ = ["answer", "better_answer", "critique", "questions", "summary"]


def questions(topic: str, passages: Sequence[Passage], count: int) -> str:
    """Ask for what a report on the topic should answer. Reply: one question per line."""
    task = f"Plan: write {count} questions that a report on the topic should answer, one per line."
    return "\n".join([task, _tag("topic", topic), _sources(passages)])


def answer(question: str, passages: Sequence[Passage], sentences: int = 3) -> str:
    """Ask for an answer from the passages alone. Reply: prose, each sentence with its [source]."""
    task = (
        f"Answer: reply to the question in {sentences} sentences, from the sources alone. "
        "End each sentence with its source's name in brackets."
    )
    return "\n".join([task, _tag("question", question), _sources(passages)])


def critique(answers: Mapping[str, str]) -> str:
    """Ask for what is weak. Reply: `number: remark`, one line per weak answer, or nothing."""
    task = "Critique: name the answers that are weak, one per line, as `number: what is missing`."
    numbered = (
        _tag("answer", text, number=str(number), question=question)
        for number, (question, text) in enumerate(answers.items(), 1)
    )
    return "\n".join([task, *numbered])


def better_answer(question: str, draft: str, remark: str, passages: Sequence[Passage]) -> str:
    """Ask for an answer that keeps the draft and mends what the remark says."""
    task = (
        "Revise: keep what the draft says and add what the remark asks for, in at most 2 sentences."
    )
    return "\n".join(
        [
            task,
            _tag("question", question),
            _tag("draft", draft),
            _tag("remark", remark),
            _sources(passages),
        ]
    )


def summary(topic: str, answers: Mapping[str, str], sentences: int = 3) -> str:
    """Ask for the few sentences somebody in a hurry should read."""
    task = f"Summarise: say in {sentences} sentences what the answers say about the topic."
    numbered = (_tag("answer", text, question=question) for question, text in answers.items())
    return "\n".join([task, _tag("topic", topic), *numbered])


def _sources(passages: Sequence[Passage]) -> str:
    return "\n".join(
        _tag("source", passage.text, name=passage.source, title=passage.title)
        for passage in passages
    )


def _tag(tag: str, text: str, /, **attributes: str) -> str:
    written = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f"<{tag}{written}>\n{text}\n</{tag}>"
