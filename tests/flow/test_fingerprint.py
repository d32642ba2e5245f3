"""What a result depends on, and why it is stale, in words."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.flow import (
    Binding,
    BindingKind,
    Change,
    ChangeKind,
    Fingerprint,
    changes,
    opaque,
    source_diff,
)

VALUE, FUNCTION = BindingKind.VALUE, BindingKind.FUNCTION
CLASS, MODULE, OPAQUE = BindingKind.CLASS, BindingKind.MODULE, BindingKind.OPAQUE


def only(before: Fingerprint, after: Fingerprint, **more: object) -> Change:
    """The one change there is."""
    (change,) = changes(before, after, **more)  # type: ignore[arg-type]
    return change


def binding_change(name: str, before: Binding, after: Binding) -> Change:
    """The one change there is when one name of the environment changes."""
    return only(Fingerprint("c", {}, {name: before}), Fingerprint("c", {}, {name: after}))


@pytest.mark.parametrize(
    ("name", "before", "after", "kind", "summary"),
    [
        ("topic", Binding(VALUE, "1", "'heat pumps'"), Binding(VALUE, "2", "'solar'"),
         "environment", "topic: 'heat pumps' → 'solar'"),
        ("topic", Binding(VALUE, "1", "[…]"), Binding(VALUE, "2", "[…]"),
         "environment", "topic changed"),
        ("rows", Binding(VALUE, "1", "a\n" * 99), Binding(VALUE, "2", "1"),
         "environment", "rows: " + "a " * 29 + "a… → 1"),
        ("clean", Binding(FUNCTION, "1"), Binding(FUNCTION, "2"),
         "helper", "helper function clean() changed"),
        ("Plan", Binding(CLASS, "1"), Binding(CLASS, "2"), "helper", "helper class Plan changed"),
        ("pd", Binding(MODULE, "1", "pandas 3.0.1"), Binding(MODULE, "2", "pandas 3.1.1"),
         "module", "module pandas 3.0.1 → 3.1.1"),
        ("np", Binding(MODULE, "1", "numpy 2.1"), Binding(MODULE, "2", "cupy 13"),
         "module", "module numpy 2.1 → cupy 13"),
        ("my", Binding(MODULE, "1", "my"), Binding(MODULE, "2", "my"),
         "module", "module my changed"),
        ("db", Binding(OPAQUE, "", "sqlite3.Connection"), Binding(OPAQUE, "", "Lock"),
         "opaque", "db: sqlite3.Connection → Lock"),
        ("f", Binding(FUNCTION, "1"), Binding(VALUE, "2", "1"),
         "environment", "f: was a function, is now a value"),
    ],
)  # fmt: skip
def test_a_changed_name_is_explained(
    name: str, before: Binding, after: Binding, kind: str, summary: str
) -> None:
    """One line per reason, with what was and what is where that can be shown."""
    change = binding_change(name, before, after)
    assert (change.kind, change.name, change.summary) == (kind, name, summary)


def test_changed_code_comes_with_a_diff() -> None:
    """People see the lines; a helper's lines too."""
    change = only(
        Fingerprint("1"),
        Fingerprint("2"),
        source_before="a = 1\nb = 2",
        source_after="a = 1\nb = 3",
    )
    assert (change.kind, change.name, change.summary) == ("code", "", "code of the step changed")
    assert change.diff.splitlines()[-3:] == [" a = 1", "-b = 2", "+b = 3"]
    helper = binding_change(
        "f",
        Binding(FUNCTION, "1", "def f(): return 1"),
        Binding(FUNCTION, "2", "def f(): return 2"),
    )
    assert "-def f(): return 1\n+def f(): return 2" in helper.diff
    assert only(Fingerprint("1"), Fingerprint("2")).diff == ""
    assert source_diff("x", "x") == ""


@pytest.mark.parametrize(
    ("before", "after", "kind", "summary"),
    [
        (Fingerprint("c", {"hits": "1"}), Fingerprint("c", {"hits": "2"}),
         "input", "input 'hits' (from step 'search') changed"),
        (Fingerprint("c"), Fingerprint("c", {"hits": "2"}),
         "input", "now also reads 'hits' (from step 'search')"),
        (Fingerprint("c", {"hits": "1"}), Fingerprint("c"), "input", "no longer reads 'hits'"),
        (Fingerprint("c", {}, {"hits": Binding(VALUE, "1")}), Fingerprint("c", {"hits": "1"}),
         "input", "'hits' is now made by a step (from step 'search')"),
        (Fingerprint("c", {"hits": "1"}), Fingerprint("c", {}, {"hits": Binding(VALUE, "1")}),
         "input", "'hits' is no longer made by a step"),
        (Fingerprint("c"), Fingerprint("c", {}, {"x": Binding(VALUE, "1")}),
         "environment", "now also reads 'x'"),
        (Fingerprint("c", {}, {"f": Binding(FUNCTION, "1")}), Fingerprint("c"),
         "helper", "no longer reads 'f'"),
    ],
)  # fmt: skip
def test_a_changed_input_is_explained(
    before: Fingerprint, after: Fingerprint, kind: str, summary: str
) -> None:
    """With the step it comes from, where that is known."""
    change = only(before, after, writers={"hits": "search"})
    assert (change.kind, change.summary) == (kind, summary)


def test_reasons_are_sorted_by_weight_then_name() -> None:
    """Code first, opaque things last."""
    before = Fingerprint("1", {"b": "1", "a": "1"}, {"m": Binding(MODULE, "1", "m 1")})
    after = Fingerprint("2", {"b": "2", "a": "2"}, {"m": Binding(MODULE, "2", "m 2")})
    after.environment["f"] = Binding(FUNCTION, "1")
    found = [(change.kind, change.name) for change in changes(before, after)]
    assert found == [
        (ChangeKind.CODE, ""),
        (ChangeKind.INPUT, "a"),
        (ChangeKind.INPUT, "b"),
        (ChangeKind.HELPER, "f"),
        (ChangeKind.MODULE, "m"),
    ]


def test_opaque_things_are_told_apart_by_type_only_and_named() -> None:
    """A connection made anew is no reason to run again; people are told what is not seen."""
    one = {"db": Binding(OPAQUE, "1", "Connection"), "x": Binding(VALUE, "1")}
    other = {"db": Binding(OPAQUE, "2", "Connection"), "x": Binding(VALUE, "1")}
    assert Fingerprint("c", {}, one).digest == Fingerprint("c", {}, other).digest
    assert changes(Fingerprint("c", {}, one), Fingerprint("c", {}, other)) == ()
    assert opaque(one | {"a": Binding(OPAQUE, "", "Lock")}) == ("a", "db")


def test_details_for_people_are_not_part_of_the_digest() -> None:
    """A preview or a helper's layout may change; its digest decides."""
    one = Fingerprint("c", {}, {"f": Binding(FUNCTION, "1", "def f(): pass", ("g",))})
    other = Fingerprint("c", {}, {"f": Binding(FUNCTION, "1", "def f():  pass")})
    assert one.digest == other.digest
    assert changes(one, other) == ()


names = st.sampled_from(["a", "b", "ab", "c"])
digests = st.sampled_from(["", "1", "2", "12"])
bindings = st.builds(Binding, st.sampled_from(BindingKind), digests, digests)
fingerprints = st.builds(
    Fingerprint,
    digests,
    st.dictionaries(names, digests, max_size=3),
    st.dictionaries(names, bindings, max_size=3),
)


@settings(deadline=None)
@given(fingerprints, fingerprints)
def test_there_are_reasons_exactly_if_the_digests_differ(
    before: Fingerprint, after: Fingerprint
) -> None:
    """A change is never passed over in silence, and none is invented."""
    assert (changes(before, after) == ()) is (before.digest == after.digest)
    assert all(change.summary and "\n" not in change.summary for change in changes(before, after))


@settings(deadline=None)
@given(fingerprints, st.randoms(use_true_random=False))
def test_the_order_of_names_does_not_matter(one: Fingerprint, random: object) -> None:
    """Nor does a journey through JSON."""
    inputs, environment = list(one.inputs.items()), list(one.environment.items())
    random.shuffle(inputs)  # type: ignore[attr-defined]
    random.shuffle(environment)  # type: ignore[attr-defined]
    assert Fingerprint(one.code, dict(inputs), dict(environment)).digest == one.digest
    again = msgspec.json.decode(msgspec.json.encode(one), type=Fingerprint)
    assert again == one
    assert again.digest == one.digest
