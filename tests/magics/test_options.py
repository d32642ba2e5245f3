"""The line of a magic: words, quotes, options."""

import pytest

from stepwell.errors import InvalidUsage, NotYetSupported
from stepwell.magics._options import Option, Parsed, Takes, describe, parse

OPTIONS = (
    Option("--names", Takes.LIST, "NAME[,NAME…]"),
    Option("--size", Takes.ONE, "N"),
    Option("--quick"),
    Option("--ask", Takes.PERHAPS, "[TEXT]"),
    Option("--repeat", Takes.ONE, "N", later=True),
    Option("--both", later=True),
)


def read(line: str) -> Parsed:
    """The line, taken apart."""
    return parse("%%try", line, OPTIONS)


def complaint(line: str) -> str:
    """What is said about a line that is refused."""
    with pytest.raises(InvalidUsage) as caught:
        read(line)
    return str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "--names a,b,c",
        "--names=a,b,c",
        "--names a --names b --names c",
        "--names a, b, c",
        "--names 'a, b' --names c",
        "--names a,b --names b,c,a",
    ],
)
def test_lists_may_be_written_with_commas_or_by_repeating(line: str) -> None:
    """However a list is written, each name comes once, in the order typed."""
    assert read(line).all("--names") == ("a", "b", "c")


def test_words_and_options_may_be_mixed() -> None:
    """What belongs to no option is a word, wherever it stands."""
    parsed = read("one --quick two --size 3 'three four'")
    assert parsed.words == ("one", "two", "three four")
    assert parsed.has("--quick")
    assert parsed.one("--size") == "3"


def test_an_option_not_typed_is_absent() -> None:
    """Absent is not the same as empty."""
    parsed = read('--names ""')
    assert parsed.has("--names")
    assert parsed.all("--names") == ()
    assert not parsed.has("--size")
    assert parsed.one("--size") == ""


@pytest.mark.parametrize(
    ("line", "words", "values"),
    [
        ("--ask", (), ()),
        ("--ask --quick", (), ()),
        ("--ask 'Go on?' word", ("word",), ("Go on?",)),
        ("--ask=yes", (), ("yes",)),
    ],
)
def test_a_value_may_be_optional(
    line: str, words: tuple[str, ...], values: tuple[str, ...]
) -> None:
    """The next word is the value unless it is an option."""
    parsed = read(line)
    assert (parsed.words, parsed.all("--ask")) == (words, values)


def test_a_comment_ends_the_line() -> None:
    """What follows a # is for people."""
    assert read("one # two --bogus").words == ("one",)


@pytest.mark.parametrize("line", ["--help", "-h", "one --size 3 --help", "--repeat 3 -h"])
def test_help_is_asked_for_anywhere(line: str) -> None:
    """Asking for help never complains about the rest of the line."""
    assert read(line).help


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--siz 3", "%%try has no option --siz. Did you mean '--size'"),
        ("-quick", "%%try has no option -quick. Did you mean '--quick'"),
        ("—quick", "%%try has no option —quick. Did you mean '--quick'"),
        ("--repet 3", "Did you mean '--repeat'"),
        ("--zzz", "There is: --ask, --names, --quick, --size."),
        ("--si", "has no option --si"),
        ("--size", "%%try: --size needs a value: --size N"),
        ("--size --quick", "--size needs a value"),
        ("--size 1 --size 2", "--size is given twice"),
        ("--quick=yes", "--quick takes no value; leave =yes out"),
        ("--names a,,b", "--names 'a,,b' has a comma too many"),
        ("--names a,", "--names 'a,' has a comma too many"),
        ("one 'two", "a quotation mark is opened and not closed in: one 'two"),
        ("one \\", "a backslash at the end of the line"),
    ],
)
def test_mistakes_are_named(line: str, says: str) -> None:
    """The message names the command, the word and the way out."""
    assert says in complaint(line)


def test_options_of_a_later_version_say_so() -> None:
    """Such an option is understood, and refused by name."""
    with pytest.raises(NotYetSupported, match=r"%%try --repeat is not in this version"):
        read("one --repeat 3")
    with pytest.raises(NotYetSupported, match=r"--repeat \(like --both\) is not"):
        read("--both --repeat 3")
    assert "--repeat needs a value" in complaint("--repeat")


def test_descriptions_stay_in_their_column() -> None:
    """Long texts are wrapped under themselves, and a long left side gets a line of its own."""
    text = describe([("short", "word " * 40), ("x" * 40, "after")])
    first, second, *_, left, right = text.splitlines()
    column = first.index("word")
    assert second.startswith(" " * column + "word")
    assert left == "  " + "x" * 40
    assert right == " " * column + "after"
    assert max(map(len, text.splitlines())) <= 92
