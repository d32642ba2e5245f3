"""Values as something to look at."""

import json
from typing import Any

import pandas as pd
import pytest

from stepwell.widgets import log_ending, log_entries, rich


class Loud:
    """A class whose own code must not run."""

    def __repr__(self) -> str:
        raise AssertionError("looked at")

    __str__ = __repr__


def test_a_table_shows_its_head_and_its_size() -> None:
    """Fifty rows at most, numbers told from text, the index first."""
    frame = pd.DataFrame({"name": ["x"] * 200, "n": range(200)})
    shown = rich(frame)
    assert [column["name"] for column in shown["columns"]] == ["", "name", "n"]
    assert [column["number"] for column in shown["columns"]] == [True, False, True]
    assert shown["rows"][3] == ["3", "x", "3"]
    assert (len(shown["rows"]), shown["total"], shown["width"]) == (50, 200, 3)


def test_like_records_are_a_table_and_others_a_tree() -> None:
    """What reads best as rows is rows."""
    assert rich([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}])["rows"] == [["1", "x"], ["2", "y"]]
    assert rich([{"a": 1}, {"b": 2}]) == {"kind": "tree", "value": [{"a": 1}, {"b": 2}]}
    assert rich({"a": [1, None, True]}) == {"kind": "tree", "value": {"a": [1, None, True]}}


@pytest.mark.parametrize(
    "value",
    [
        Loud(),
        [Loud(), {"x": Loud()}],
        pd.DataFrame({"x": [Loud()]}),
        {"deep": {"er": Loud()}},
        float("nan"),
        {"x": float("inf"), "y": 2**70},
        {(1, 2): {3, 4}},
        b"\xff" * 1000,
        "x" * 1_000_000,
        [["x" * 1000] * 100] * 100,
    ],
)
def test_any_value_is_json_of_bounded_size(value: Any) -> None:
    """No code of the value's runs, whatever it is, and no megabytes are sent."""
    said = json.dumps(rich(value), allow_nan=False)
    assert len(said) < 2_200_000


def test_what_is_cut_is_counted() -> None:
    """A text says how much of it is missing."""
    shown = rich("x" * 50_000)
    assert len(shown["text"]) + shown["more"] == 50_000


def test_secrets_are_masked_in_every_form() -> None:
    """In a tree, a table and a text."""
    secret = "sk-" + "a1" * 20
    values = [{"password": "hunter2"}, [{"t": secret}, {"t": secret}], f"key {secret}", [[secret]]]
    said = json.dumps([rich(value) for value in values])
    assert "hunter2" not in said
    assert secret not in said


def test_a_log_is_text_and_pictures_only() -> None:
    """Markup is passed over for its plain text; a drawing that can hold a script too."""
    log = [
        {"output_type": "stream", "name": "stderr", "text": "careful\n"},
        {
            "output_type": "display_data",
            "data": {"text/html": "<script>", "image/svg+xml": "<svg>", "text/plain": "a frame"},
        },
        {"output_type": "display_data", "data": {"image/png": "aGk=", "text/plain": "<Figure>"}},
    ]
    assert log_entries(log) == [
        {"kind": "text", "text": "careful\n", "more": 0, "name": "stderr"},
        {"kind": "text", "text": "a frame", "more": 0},
        {"kind": "image", "mime": "image/png", "data": "aGk=", "text": "<Figure>"},
    ]


def test_a_progress_bar_on_one_line_is_shown_as_it_ended() -> None:
    """Carriage returns do what they do in a terminal."""
    said = " 10%\r 50%\r100%\nnext\r\n a\rb\r"
    [entry] = log_entries([{"output_type": "stream", "name": "stderr", "text": said}])
    assert entry["text"] == "100%\nnext\nb"


def test_of_a_log_that_grows_the_end_is_shown() -> None:
    """So many characters of each stream."""
    log = [{"output_type": "stream", "name": "stdout", "text": "abc" * 1000}]
    assert log_ending(log, 6)[0]["text"] == "abcabc"
