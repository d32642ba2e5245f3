"""What the `%%step` line says."""

import pytest

from stepwell.errors import InvalidUsage, NotYetSupported
from stepwell.magics import StepOptions
from stepwell.magics._step import STEP_HELP, STEP_OPTIONS, check_body, parse_step


def test_a_name_is_enough() -> None:
    """Everything but the name has a default."""
    assert parse_step(" plan ") == StepOptions(name="plan")


def test_every_option_has_its_place() -> None:
    """Each option ends up in the field of its meaning."""
    line = (
        "plan --in a,b --out c --after first,second-one --defer --always "
        "--transient c --agent writer"
    )
    assert parse_step(line) == StepOptions(
        name="plan",
        inputs=("a", "b"),
        outputs=("c",),
        after=("first", "second-one"),
        defer=True,
        always=True,
        transient=("c",),
        agent="writer",
    )


def test_a_step_may_write_nothing() -> None:
    """An empty list of outputs is not the same as leaving them to be read from the code."""
    none, inferred = parse_step('plan --out ""'), parse_step("plan")
    assert none is not None
    assert none.outputs == ()
    assert inferred is not None
    assert inferred.outputs is None


@pytest.mark.parametrize("name", ["a", "plan_2", "Draft-3", "größe"])
def test_names_are_words(name: str) -> None:
    """A letter, then letters, digits, _ and -."""
    assert parse_step(name) == StepOptions(name=name)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "a step needs a name: %%step NAME"),
        ("--defer", "a step needs a name"),
        ("plan search", "here are 'plan' and 'search'. Join them (plan_search)"),
        ("1st", "the name '1st' cannot be a step's name. Begin with a letter"),
        ("_plan", "'_plan' cannot be a step's name"),
        ("pl.an", "'pl.an' cannot be a step's name"),
        ("''", "'' cannot be a step's name"),
        ("plan --after 2nd", "--after '2nd' cannot be a step's name"),
        ("plan --in a-b", "--in 'a-b' is not a name as Python has them"),
        ("plan --out class", "--out 'class' is not a name"),
        ("plan --transient x.y", "--transient 'x.y' is not a name"),
        ("plan --agent 'my agent'", "--agent 'my agent' is not a name"),
        ("plan --afte x", "no option --afte. Did you mean '--after'"),
    ],
)
def test_mistakes_are_named(line: str, says: str) -> None:
    """The message says which word is wrong and what would be right."""
    with pytest.raises(InvalidUsage) as caught:
        parse_step(line)
    assert says in str(caught.value)


LATER = [
    "--on process",
]


@pytest.mark.parametrize("option", LATER)
def test_options_of_later_versions_say_so(option: str) -> None:
    """They are understood with their values, and named."""
    name, _, _ = option.partition(" ")
    with pytest.raises(NotYetSupported, match=f"%%step {name} is not in this version"):
        parse_step(f"plan --defer {option}")


def test_every_option_is_accounted_for() -> None:
    """An option is either explained in the help or known to come later."""
    later = {option.name for option in STEP_OPTIONS if option.later}
    assert later == {option.partition(" ")[0] for option in LATER}
    for option in STEP_OPTIONS:
        assert option.later or (option.help and f"  {option.usage}" in STEP_HELP)


def test_help_wins_over_mistakes_before_it() -> None:
    """Whoever asks for help gets it."""
    assert parse_step("--help") is None
    assert parse_step("one two -h") is None


@pytest.mark.parametrize("source", ["", "\n", "  \n\t\n", "# only a note\n\n"])
def test_a_step_needs_code(source: str) -> None:
    """Blank lines and comments are nothing to run."""
    with pytest.raises(InvalidUsage, match="a step needs code below the %%step line"):
        check_body(source)


def test_code_is_code_wherever_it_stands() -> None:
    """A comment above it does no harm."""
    check_body("# a note\n\nx = 1\n")
