"""Other people's text."""

import pytest

from stepwell.widgets._text import block, line, visible, width


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b1mbold", "bold"),
        ("ring\x07", "ring⟨U+0007⟩"),
        ("over\rwritten", "over⟨U+000D⟩written"),
        ("invoice\u202egnp.exe", "invoice⟨U+202E⟩gnp.exe"),
        ("a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩"),
        ("zero\u200bwidth", "zero⟨U+200B⟩width"),
        ("hi\U000e0041", "hi⟨U+E0041⟩"),
        ("half \ud83d", "half ⟨U+D83D⟩"),
        ("e" + "\u0301" * 40, "e" + "\u0301" * 4),
        ("👩\u200d🔬 مرحبا", "👩\u200d🔬 مرحبا"),
        ("lone \x1b]0;never ends", "lone ⟨U+001B⟩]0;never ends"),
    ],
)
def test_nothing_hidden_stays_hidden(written: str, shown: str) -> None:
    """Terminal commands go; what would hide, reorder or break an encoding is shown by number."""
    assert visible(written) == shown


def test_a_long_line_is_cut_and_says_by_how_much() -> None:
    """The count and what is shown make up the whole."""
    assert line("x" * 1_000_000, 10) == "xxxxxxxxxx… (+999,990 characters)"
    assert line("two\nlines\t and  spaces") == "two lines and spaces"


def test_of_many_lines_the_middle_is_left_out() -> None:
    """Beginning and end are what is looked for in a traceback."""
    shown = block("\n".join(map(str, range(1000))), lines=6).split("\n")
    assert shown == ["0", "1", "… (994 more lines)", "996", "997", "998", "999"]


def test_a_huge_text_becomes_a_small_one() -> None:
    """Neither one endless line nor endless lines make a page large."""
    assert len(block("x" * 5_000_000)) < 1000
    assert len(block("\x1b]" * 2_000_000)) < 100_000
    assert len(block("row\n" * 2_000_000)) < 1000


def test_width_counts_columns_of_a_terminal() -> None:
    """Ideographs take two columns, accents none."""
    assert [width(text) for text in ("abc", "日本", "e\u0301")] == [3, 4, 1]
