"""The live view at the wire: what is sent to whom, and how a click gets past a busy cell."""

import time
from typing import Any

from kernels import Kernel

STEP = "%%step a\nx = 1"
BUSY = """
import time
print('busy', flush=True)
end = time.monotonic() + 3
while time.monotonic() < end:
    pass
"""


def messages(kernel: Kernel, kind: str) -> list[dict[str, Any]]:
    """Contents of one kind, whatever they belong to."""
    return [message["content"] for message in kernel.messages if message["msg_type"] == kind]


def said(kernel: Kernel, kind: str) -> list[dict[str, Any]]:
    """What the live view has said."""
    found: list[dict[str, Any]] = [
        content["data"].get("content", {}) for content in messages(kernel, "comm_msg")
    ]
    return [message for message in found if message.get("kind") == kind]


def open_view(kernel: Kernel, *, prelude: str = "") -> str:
    """A view as a person opens it; the id of its comm."""
    kernel.ok(f"{prelude}\n%load_ext stepwell")
    kernel.ok(STEP)
    kernel.reply(kernel.send("%stepwell view", is_attended=True))

    def models() -> list[str]:
        opened = messages(kernel, "comm_open")
        return [
            content["comm_id"] for content in opened if "_esm" in content["data"].get("state", {})
        ]

    kernel.listen_until(lambda: bool(models()))
    return models()[0]


def tell(kernel: Kernel, comm: str, **message: Any) -> None:
    """What a front end says, as one does that knows nothing of subshells."""
    content = {"comm_id": comm, "data": {"method": "custom", "content": message}}
    kernel.client.shell_channel.send(kernel.client.session.msg("comm_msg", content))


def greet(kernel: Kernel, comm: str) -> None:
    """Begin as the page's script does: a model that is just being made hears nobody."""
    said_last = 0.0

    def is_known() -> bool:
        nonlocal said_last
        if said(kernel, "snapshot"):
            return True
        if time.monotonic() - said_last > 5:
            said_last = time.monotonic()
            tell(kernel, comm, kind="hello")
        return False

    kernel.listen_until(is_known)


def test_the_static_view_stands_first_and_is_all_that_is_kept(kernel: Kernel) -> None:
    """The display is HTML alone: no notebook keeps a widget that may have no model."""
    open_view(kernel)
    shown = messages(kernel, "display_data")
    assert all("application/vnd.jupyter.widget-view+json" not in it["data"] for it in shown)
    assert any("stepwell-run-" in str(it["data"].get("text/html")) for it in shown)


def test_nobody_is_told_where_nobody_can_click(kernel: Kernel) -> None:
    """Headless, the run is a result like any other, and no widget is made."""
    kernel.ok("%load_ext stepwell")
    kernel.ok(STEP)
    answer = kernel.ok("%stepwell view")
    [result] = kernel.of(answer, "execute_result")
    assert "stepwell-run-" not in result["data"]["text/html"]
    kernel.ok("%stepwell wait")
    assert messages(kernel, "comm_open") == []


def test_a_click_is_heard_while_a_cell_computes(kernel: Kernel) -> None:
    """By a subshell of our own, from a front end that knows nothing of subshells."""
    comm = open_view(kernel)
    greet(kernel, comm)
    cell = kernel.send(BUSY)
    kernel.listen_until(lambda: bool(messages(kernel, "stream")))
    began = time.monotonic()
    tell(kernel, comm, kind="step", id="1", step="a")
    kernel.listen_until(lambda: bool(said(kernel, "answer")), timeout=2)
    assert time.monotonic() - began < 2
    assert said(kernel, "answer")[0]["value"]["code"] == "x = 1\n"
    kernel.reply(cell)


def test_what_is_wrong_with_a_request_is_said(kernel: Kernel) -> None:
    """An unknown step, an unknown verb, an unknown question: each is answered with words."""
    comm = open_view(kernel)
    greet(kernel, comm)
    tell(kernel, comm, kind="step", id="1", step="nobody")
    tell(kernel, comm, kind="act", id="2", verb="explode")
    tell(kernel, comm, kind="decide", id="3", approval="none", decision="approve")
    tell(kernel, comm, kind="nonsense", id="4")
    kernel.listen_until(lambda: len(said(kernel, "answer")) == 4)
    types = {answer["id"]: answer["type"] for answer in said(kernel, "answer")}
    assert types == {
        "1": "UnknownStep",
        "2": "InvalidUsage",
        "3": "UnknownApproval",
        "4": "InvalidUsage",
    }


def test_waits_are_told_alike_as_they_happen_and_from_the_store(kernel: Kernel) -> None:
    """Whoever looks from the beginning sees the same times as whoever comes later."""
    kernel.ok("import stepwell")
    for source in (
        "%%step nap --defer\nawait stepwell.sleep('100ms')\nb = 1",
        "%%step hears --defer\nmail = await stepwell.receive('news')",
        "%%step fails --defer --retries 1 --backoff 10ms\nraise ConnectionError('503')",
    ):
        kernel.reply(kernel.send(source, is_attended=True))
    comm = open_view(kernel)
    greet(kernel, comm)
    run = said(kernel, "snapshot")[0]["run"]["id"]
    kernel.reply(kernel.send("%stepwell run", is_attended=True))
    kernel.reply(kernel.send(f"%stepwell send {run} news 42", is_attended=True))
    kernel.listen_until(lambda: "failed" in [it["run"]["status"] for it in said(kernel, "changes")])
    heard: dict[str, Any] = {}
    for change in said(kernel, "changes"):
        heard |= {str(it[:2]): it for it in change["spans"]}
        heard |= {f"{it[0]} {it[2]}": it for it in change["stretches"]}
    tell(kernel, comm, kind="hello")
    kernel.listen_until(lambda: len(said(kernel, "snapshot")) == 2)
    late = said(kernel, "snapshot")[1]
    stored = [it for it in [*late["spans"], *late["stretches"]] if it[0] != "a"]
    told = [it for it in heard.values() if it[0] != "a"]
    assert sorted(map(str, stored)) == sorted(map(str, told))
    assert {it[3] for it in late["stretches"]} == {"sleep", "message", "backoff", "restored"}


def ask(kernel: Kernel, comm: str, kind: str, **what: Any) -> Any:
    """An answer of the live view's."""
    number = str(len(said(kernel, "answer")) + 1)
    tell(kernel, comm, kind=kind, id=number, **what)
    kernel.listen_until(lambda: bool(said(kernel, "answer")[int(number) - 1 :]))
    answer = said(kernel, "answer")[-1]
    assert "value" in answer, answer
    return answer["value"]


def test_a_running_step_and_a_child_are_followed(kernel: Kernel) -> None:
    """What it says is there to read while it runs; a child that has not changed is not sent."""
    comm = open_view(kernel)
    for source in (
        "%agent look(topic: str) -> found",
        "%%step find --agent look\nfrom pathlib import Path\nprint('looking for', topic)\n"
        "while not Path('go').exists(): pass\nfound = topic",
        "%%step search\nprint('asking')\nhits = await look(topic='pumps')",
    ):
        kernel.reply(kernel.send(source, is_attended=True))

    def child() -> str:
        tell(kernel, comm, kind="hello")
        steps = [step for found in said(kernel, "snapshot") for step in found["steps"]]
        return next((it["run"] for step in steps for it in step.get("children", [])), "")

    kernel.listen_until(lambda: bool(child()))
    run = child()
    kernel.listen_until(
        lambda: "looking for pumps" in str(ask(kernel, comm, "now", step="find", run=run))
    )
    assert "asking" in str(ask(kernel, comm, "now", step="search"))
    first = ask(kernel, comm, "child", run=run)
    assert [(step["name"], step["state"]) for step in first["steps"]] == [("find", "running")]
    assert ask(kernel, comm, "child", run=run, mark=first["mark"]) == {"mark": first["mark"]}
    (kernel.folder / "go").touch()
    kernel.listen_until(lambda: ask(kernel, comm, "child", run=run)["steps"][0]["state"] == "done")
    assert ask(kernel, comm, "now", step="find", run=run) == {"log": []}


def test_vs_code_is_given_a_display_and_left_without_one(kernel: Kernel) -> None:
    """Where a script cannot reach the cells the widget has a place of its own, for as long as
    there is a kernel behind it.
    """
    kind = "application/vnd.jupyter.widget-view+json"
    open_view(kernel, prelude="__vsc_ipynb_file__ = 'nb.ipynb'")
    kernel.listen_until(lambda: any(kind in it["data"] for it in messages(kernel, "display_data")))
    [shown] = [it for it in messages(kernel, "display_data") if kind in it["data"]]
    kernel.ok("%unload_ext stepwell")
    last = [
        it["data"]
        for it in messages(kernel, "update_display_data")
        if it["transient"] == shown["transient"]
    ]
    assert last == [{"text/plain": ""}]
    assert messages(kernel, "comm_close")
