"""A stand-in for a language model. It works by extraction: it chooses sentences, it makes none up.

It reads the prompts of `quickstart.prompts`: a first line that begins with the task, then
tagged parts. To use a real model, write a class with the same one method.
"""

from collections.abc import Callable
from dataclasses import dataclass

import anyio

from quickstart import writing
from quickstart.reading import Prompt, read_prompt

__all__ = ["LocalModel", "Reply"]

_TASKS: dict[str, Callable[[Prompt], str]] = {
    "Plan": writing.questions,
    "Answer": writing.answer,
    "Critique": writing.critique,
    "Revise": writing.revision,
    "Summarise": writing.summary,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said, and what it would be billed for."""

    text: str
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class LocalModel:
    """Answers the same prompt with the same text, after `seconds` of waiting.

    The waiting is there to feel like a request over a network; tests set it to 0.
    """

    seconds: float = 0.6

    async def complete(self, prompt: str) -> Reply:
        """The reply to a prompt. Raises ValueError for a task it does not know."""
        asked = read_prompt(prompt)
        if asked.task not in _TASKS:
            raise ValueError(
                f"the local model cannot {asked.task!r}: a prompt begins with {', '.join(_TASKS)}"
            )
        await anyio.sleep(self.seconds)
        text = _TASKS[asked.task](asked)
        return Reply(text, _tokens(prompt), _tokens(text))


def _tokens(text: str) -> int:
    # About four tokens for three English words, the usual rule of thumb.
    return len(text.split()) * 4 // 3
