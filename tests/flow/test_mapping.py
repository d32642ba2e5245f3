"""Steps that run once for each element."""

import pytest

from stepwell.defining import step_from_cell, step_from_function
from stepwell.errors import InvalidStep
from stepwell.flow import MapOver, Policies, Step


def cell(code: str, over: MapOver, **options: object) -> Step:
    """A cell mapped over something."""
    return step_from_cell("s", code, code, policies=Policies(map=over), **options)  # type: ignore[arg-type]


def test_the_source_is_read_and_the_item_is_not() -> None:
    """A mapped cell waits for the source and what else it uses; the item comes from the source."""
    step = cell("hit = look(query, engine)", MapOver(item="query", source="queries"))
    assert step.reads == ("look", "engine", "queries")
    assert step.writes == ("hit",)
    assert step.map is not None
    assert step.map.apart == ("queries",)
    assert not step.map.is_whole


def test_names_in_the_key_are_read_but_no_result_depends_on_them() -> None:
    """What only tells elements apart does not make their results stale."""
    step = cell("hit = query", MapOver(item="query", source="queries", key="ids[query]"))
    assert step.reads == ("queries", "ids")
    assert step.map is not None
    assert step.map.apart == ("queries", "ids")


def test_code_that_reads_the_source_itself_depends_on_all_of_it() -> None:
    """Then every element's result depends on every element."""
    step = cell("share = 1 / len(queries) * query", MapOver(item="query", source="queries"))
    assert step.map is not None
    assert step.map.is_whole
    assert step.map.apart == ()


def test_the_item_is_no_output_although_the_code_assigns_it() -> None:
    """Cleaning up the element in place is usual."""
    step = cell("q = q.strip()\nhit = q", MapOver(item="q", source="queries"))
    assert step.writes == ("hit",)
    assert step.reads == ("queries",)


def test_item_source_and_key_are_part_of_the_digest() -> None:
    """The same code over other elements, told apart otherwise, is another step."""
    over = MapOver(item="q", source="a")
    digests = {
        cell("x = 1", made).digest
        for made in (
            over,
            MapOver(item="q", source="b"),
            MapOver(item="p", source="a"),
            MapOver(item="q", source="a", key="q.id"),
        )
    }
    assert len(digests) == 4
    assert cell("x = 1", MapOver(item="q", source="a", keep_going=True)).digest in digests


def test_an_expression_reads_what_it_looks_at() -> None:
    """Of that no element's result depends on what the code does not use as well."""
    over = MapOver(item="page", source="[p for p in pages[:most] if p.ok(engine)]")
    step = cell("hit = look(page, engine)", over)
    assert step.reads == ("look", "engine", "pages", "most")
    assert step.map is not None
    assert step.map.apart == ("pages", "most")


def test_the_layout_of_an_expression_is_not_part_of_the_digest() -> None:
    """What it says is."""
    made = {
        text: cell("x = q", MapOver(item="q", source=text)).digest
        for text in ("range(10)", "range( 10 )", "range(11)")
    }
    assert made["range(10)"] == made["range( 10 )"] != made["range(11)"]


def test_a_builtin_in_an_expression_may_be_given_a_meaning() -> None:
    """It is known, so that it is looked for among the notebook's names."""
    assert "range" in cell("x = i", MapOver(item="i", source="range(10)")).builtins


def test_a_function_takes_the_item_as_a_parameter() -> None:
    """Its other parameters are read as ever."""

    def search(query: str, engine: str) -> str:
        return query + engine

    over = MapOver(item="query", source="queries")
    step = step_from_function(search, out="hit", policies=Policies(map=over))
    assert step.reads == ("engine", "queries")


@pytest.mark.parametrize(
    ("over", "says"),
    [
        (MapOver(item="a", source="f(x)"), "looks at 'x', which the step itself makes"),
        (MapOver(item="a", source="f(a)"), "two names"),
        (MapOver(item="a", source="f("), "--map a= 'f\\(' is not an expression"),
        (MapOver(item="a,b", source="c"), "'a,b' is not a name"),
        (MapOver(item="1", source="b"), "'1' is not a name"),
        (MapOver(item="a", source="a"), "two names"),
        (MapOver(item="a", source="b", key="a +"), "--key 'a \\+' is not an expression"),
        (MapOver(item="a", source="b", key="x = a"), "is not an expression"),
    ],
)
def test_what_cannot_be_mapped_is_refused(over: MapOver, says: str) -> None:
    """At the border, with what is wrong."""
    with pytest.raises(InvalidStep, match=says):
        cell("x = 1", over)
