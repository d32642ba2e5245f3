"""`--map` and what goes with it."""

import pytest

from stepwell.errors import InvalidUsage
from stepwell.flow import MapOver
from stepwell.magics._step import parse_step


def over(line: str) -> MapOver | None:
    """What a line says about mapping."""
    options = parse_step(f"search {line}")
    assert options is not None
    return options.policies.map


def test_all_of_it_can_be_said_in_one_line() -> None:
    """Names, key and limits end in the step's policy."""
    line = "--map query=queries --key 'query.id' --max-parallel 8 --keep-going --min-success 97%"
    assert over(line) == MapOver(
        item="query",
        source="queries",
        key="query.id",
        max_parallel=8,
        keep_going=True,
        min_success=0.97,
    )


def test_a_share_of_successes_means_to_keep_going() -> None:
    """Who is content with some of them wants all to be tried."""
    found = over("--map a=b --min-success 0.5")
    assert found is not None
    assert (found.keep_going, found.min_success) == (True, 0.5)


def test_without_the_option_nothing_is_mapped() -> None:
    """A plain step stays one."""
    assert over("") is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--map queries", "--map item=items"),
        ("--map =queries", "--map item=items"),
        ("--map a=", "--map item=items"),
        ("--map a=b --max-parallel 0", "--max-parallel '0' is not a number of 1 or more"),
        ("--map a=b --max-parallel many", "--max-parallel 'many'"),
        ("--map a=b --min-success 3", "--min-success: '3' is not a share"),
        ("--map a=b --min-success 101%", "is not a share"),
        ("--keep-going", "add --map item=items"),
        ("--key x.id", "add --map item=items"),
    ],
)
def test_mistakes_are_named(line: str, says: str) -> None:
    """The message says which word is wrong and what would be right."""
    with pytest.raises(InvalidUsage) as caught:
        over(line)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "i=range(10)",
        "i=range(1, 10)",
        "q=queries[:5]",
        "page=[p for p in pages if p.ok]",
        """q=["a b", 'c', "it's"]""",
        """row=table[table["kind"] == 'a#b'].head( 3 )""",
        """pair=list(zip(a, {"x": [1, (2, 3)]}))""",
        """q=f(']')[0]""",
    ],
)
def test_an_expression_is_one_value(text: str) -> None:
    """Its brackets hold it together, and the quotes inside them are Python's."""
    item, _, source = text.partition("=")
    for line in (f"--map {text}", f"--map={text}", f"--defer --map {text} --key f(i, 'x') # why"):
        found = over(line)
        assert found is not None
        assert (found.item, found.source) == (item, source)
    assert found.key == "f(i, 'x')"


def test_quotes_around_an_expression_are_the_lines_own() -> None:
    """As for any value that has blanks in it."""
    found = over("""--map 'q=first + ["a"]' --key "q['id']" """)
    assert found is not None
    assert (found.source, found.key) == ('first + ["a"]', "q['id']")


def test_an_open_bracket_is_an_error_by_that_name() -> None:
    """And not a step of several names."""
    with pytest.raises(InvalidUsage, match="a bracket is opened and not closed"):
        over("--map q=[p for p in pages")
