"""What a step printed and displayed, shown again."""

from typing import Any

from stepwell.widgets import replay


def stream(text: str | list[str], name: str = "stdout") -> dict[str, Any]:
    """Something printed."""
    return {"output_type": "stream", "name": name, "text": text}


def display(text: str, key: str = "", kind: str = "display_data") -> dict[str, Any]:
    """Something displayed."""
    entry: dict[str, Any] = {
        "output_type": kind,
        "data": {"text/plain": text},
        "metadata": {"a": 1},
    }
    return {**entry, "transient": {"display_id": key}} if key else entry


def texts(entries: list[dict[str, Any]]) -> list[str]:
    """What is shown, in order."""
    return [entry["text"] if "text" in entry else entry["data"]["text/plain"] for entry in entries]


def test_neighbouring_texts_are_joined() -> None:
    """One block per stream until the other one, or a display, comes in between."""
    log = [stream("a"), stream(["b\n", "c"]), stream("!", "stderr"), display("d"), stream("e")]
    assert texts(replay(log)) == ["ab\nc", "!", "d", "e"]


def test_an_updated_display_is_shown_once_as_it_was_in_the_end() -> None:
    """A progress display does not come back as its hundred states, nor under its old id."""
    log = [display("0 %", "p"), stream("x"), display("100 %", "p", "update_display_data")]
    shown = replay(log)
    assert texts(shown) == ["100 %", "x"]
    assert shown[0] == display("100 %")


def test_a_display_that_is_shown_twice_is_updated_twice() -> None:
    """As front ends do it."""
    log = [display("a", "p"), display("b", "p"), display("c", "p", "update_display_data")]
    assert texts(replay(log)) == ["c", "c"]


def test_a_result_is_shown_as_a_display() -> None:
    """Its number belonged to another session."""
    assert replay([display("42", kind="execute_result")]) == [display("42")]


def test_errors_keep_their_shape() -> None:
    """Ready to be sent as they are."""
    error = {"output_type": "error", "ename": "E", "evalue": "no", "traceback": ["a", "b"]}
    assert replay([error]) == [error]


def test_too_much_text_loses_its_middle() -> None:
    """A front end would drop it all, silently."""
    (shown,) = texts(replay([stream("x" * 1_000_000)]))
    assert len(shown) < 201_000
    assert "(800,000 characters left out)" in shown


def test_what_cannot_be_read_is_named() -> None:
    """A log of a later version loses nothing in silence."""
    assert texts(replay([{"output_type": "hologram"}])) == [
        "(an output of unknown type 'hologram' is not shown)\n"
    ]


def test_the_log_is_left_as_it_is() -> None:
    """It may be shown again."""
    log = [stream("a"), stream("b"), display("c", "p"), display("d", "p", "update_display_data")]
    replay(log)
    assert texts(replay(log)) == ["ab", "d"]
