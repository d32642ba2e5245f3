"""What was done and undone, as far as a test looks."""

from sessions import Notebook


class Diary:
    """What was done and undone, in order. Refuses what it is told to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.refused = ""

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("there is one diary")

    def write(self, line: str) -> str:
        """A line."""
        if line == self.refused:
            raise ValueError(f"not {line}")
        self.lines.append(line)
        return line


def diary(notebook: Notebook) -> Diary:
    """The notebook's."""
    found = notebook.names["diary"]
    assert isinstance(found, Diary)
    return found
