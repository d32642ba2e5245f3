"""What steps say, on its way to where people look."""

from controlled import wait_for

from stepwell.workers import Recorder, Relay


def test_nothing_is_said_in_a_place_before_what_belongs_above_it() -> None:
    """Held back, it comes when the place is released, in order and once; others do not wait."""
    sent: list[tuple[object, str]] = []
    relay = Relay(lambda where, entries: sent.extend((where, it["text"]) for it in entries))
    here, there = {"cell": 1}, {"cell": 2}
    relay.hold(here)
    early, other = Recorder(relay, here), Recorder(relay, there)
    early.write("stdout", "first ")
    early.finish()
    other.write("stdout", "meanwhile")
    wait_for(lambda: sent == [(there, "meanwhile")])
    late = Recorder(relay, here)
    late.write("stdout", "second")
    relay.release(here)
    wait_for(lambda: len(sent) == 3)
    assert sent[1:] == [(here, "first "), (here, "second")]


def test_the_end_of_what_was_said_is_at_hand_before_it_is_over() -> None:
    """In whole pieces, the newest; the displays among them too."""
    recorder = Recorder()
    for number in range(100):
        recorder.write("stdout", f"{number:03}\n")
    recorder.display("display_data", {"data": {"text/plain": "a frame"}})
    recorder.write("stderr", "oh\n")
    [text, display, error] = recorder.ending(11)
    assert text["text"] == "098\n099\n"
    assert display["data"] == {"text/plain": "a frame"}
    assert error["text"] == "oh\n"
    assert len(recorder.finish()) == 3
