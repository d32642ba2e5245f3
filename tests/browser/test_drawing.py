"""What the script draws, in a page of its own: hostile text, very many steps, lost messages."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from blank import BlankPage
from hostile import HOSTILE
from playwright.sync_api import BrowserContext, expect

pytestmark = pytest.mark.browser


@pytest.fixture
def blank(window: BrowserContext) -> Iterator[BlankPage]:
    """The page; nothing in it may go wrong."""
    page = window.new_page()
    page.set_default_timeout(10_000)
    made = BlankPage(page)
    yield made
    assert made.complaints == []
    page.close()


def steps(count: int, **facts: Any) -> list[dict[str, Any]]:
    """A chain of steps."""
    return [
        {"name": f"s{at}", "state": "done", "after": [f"s{at - 1}"] if at else [], **facts}
        for at in range(count)
    ]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_hostile_is_more_than_text(blank: BlankPage, text: str) -> None:
    """In every field at once: nothing is executed or loaded, and the page stays usable."""
    asked = {"id": "q", "step": text, "question": text, "status": "pending", "tool": text}
    hostile = {
        "name": text,
        "state": "failed",
        "error": {"kind": text, "message": text, "line": "1", "source": text},
        "stale": [text],
        "note": text,
        "writes": [text],
        "blocked": [text],
        "way_out": text,
        "approval": asked,
        "children": [{"run": text, "agent": text, "status": text}],
        "items": {"total": 3, "done": 1},
    }
    value = {"kind": "tree", "value": {text[:5000]: [text, {"deep": text}]}}
    table = {"kind": "table", "columns": [{"name": text, "type": text}], "rows": [[text]]}
    image = {"kind": "image", "mime": "image/svg+xml", "data": text}
    outputs = [
        {"name": text, "type": text, "preview": text, "value": shown}
        for shown in (value, table, image, {"kind": "text", "text": text})
    ]
    call = {"name": text, "state": text, "error": text, "model": text, "result": value}
    blank.answers(
        "step",
        value={
            "outputs": outputs,
            "code": text,
            "diff": f"+{text}",
            "log": [{"kind": "text", "text": text, "name": "stderr"}],
            "inputs": outputs,
            "calls": [call],
            "attempts": [{"outcome": text, "attempt": 1, "error": text, "traceback": text}],
            "approvals": [{"status": text, "question": text, "by": text, "note": text}],
            "history": [{"outcome": text, "run": text, "code": text}],
        },
    )
    schema = {
        "type": "object",
        "title": text,
        "properties": {text[:200]: {"type": "string", "title": text, "description": text}},
    }
    blank.answers(
        "approval",
        value={**asked, "payload": value, "can_edit": True, "schema": schema, "value": {}},
    )
    blank.answers("decide", error=text, problems=[[text[:200], text], ["", text]])
    blank.snapshot(hostile, {"name": "calm", "state": "done"}, approvals=[asked], flow=text)
    page = blank.page
    page.get_by_role("tab", name="Steps").click()
    page.locator(".sw-step-row").first.click()
    expect(page.locator(".sw-details-body summary")).not_to_have_count(0)
    for _ in range(3):
        page.evaluate("() => document.querySelectorAll('details').forEach((it) => it.open = true)")
        page.wait_for_timeout(50)
    page.get_by_role("button", name="Edit").click()
    page.get_by_role("button", name="Approve changes").click()
    page.get_by_role("tab", name="Timeline").click()
    page.get_by_role("tab", name="Flow").click()
    page.get_by_role("button", name="calm").click()
    details = page.get_by_role("region", name="Details", exact=True)
    expect(details).to_contain_text("calm")
    assert page.evaluate("() => window.pwned") is None
    assert page.locator(".sw-view :is(script, iframe, object, [onerror], [onload])").count() == 0
    assert page.locator(".sw-view :is(a, img)").count() == 0
    assert "\u202e" not in page.inner_text("body")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_ten_thousand_steps_stay_smooth(blank: BlankPage) -> None:
    """Few rows exist, a change is drawn within a few frames, and the graph is folded."""
    count = 10_000
    named = [{"name": "start", "state": "done"}]
    named += [{"name": f"item {at}", "state": "waiting", "after": ["start"]} for at in range(count)]
    blank.snapshot(*named)
    page = blank.page
    page.get_by_role("button", name="10,000 steps").click()
    expect(page.locator(".sw-step-row")).not_to_have_count(0)
    assert page.locator(".sw-step-row").count() < 60
    longest = page.evaluate(
        """async () => {
          let longest = 0, last = performance.now(), number = 1;
          const list = document.querySelector(".sw-steps");
          const end = last + 3000;
          while (performance.now() < end) {
            number += 1;
            const steps = Array.from({ length: 100 }, (_, at) =>
              ({ name: `item ${(number * 100 + at) % 10000}`, state: "done", after: ["start"] }));
            const run = { id: "r1", status: "running" };
            window.tell({ kind: "changes", number, steps, spans: [], run });
            list.scrollTop += 400;
            for (let frame = 0; frame < 6; frame += 1) {
              await new Promise(requestAnimationFrame);
              longest = Math.max(longest, performance.now() - last);
              last = performance.now();
            }
          }
          return longest;
        }"""
    )
    print(f"longest frame with 10,000 steps and 10 changes a second: {longest:.0f} ms")
    assert longest < 500
    page.get_by_role("searchbox").fill("item 9999")
    expect(page.locator(".sw-step-row")).to_have_count(1)


def test_work_and_each_kind_of_waiting_are_told_apart(blank: BlankPage) -> None:
    """By pattern, in the tooltip, for screen readers, in the legend and in a table."""
    start = 1_700_000_000_000_000

    def at(seconds: float) -> int:
        return start + int(seconds * 1e6)

    kinds = ["person", "sleep", "message", "child"]
    stretches = [
        ["talks", 2, f"{kind} 0", kind, at(4 + 2 * number), at(5 + 2 * number), f"about {kind}"]
        for number, kind in enumerate(kinds)
    ]
    blank.snapshot(
        {"name": "talks", "state": "done", "attempt": 2, "seconds": 10},
        {"name": "old", "state": "restored", "seconds": 3},
        {"name": "cut", "state": "failed"},
        spans=[
            ["talks", 1, at(0), at(1), "failed"],
            ["talks", 2, at(3), at(13), "done"],
            ["cut", 1, at(0), at(2), "interrupted"],
        ],
        stretches=[
            *stretches,
            ["talks", 1, "b 0", "backoff", at(1), at(3), ""],
            ["old", 0, "restored 0", "restored", at(2), at(2), ""],
        ],
    )
    page = blank.page
    page.get_by_role("tab", name="Timeline").click()
    legend = page.get_by_role("list", name="Legend").get_by_role("listitem")
    expect(legend).to_have_text(
        [
            *("done", "failed", "cut off", "asks a person", "sleeps", "waits for a message"),
            *("waits for a child run", "before a retry", "restored"),
        ]
    )
    patterns = {
        bar.evaluate("it => getComputedStyle(it).background")
        for bar in page.locator(".sw-swatch").all()
    }
    assert len(patterns) == 9
    row = page.get_by_role("listitem").filter(has_text="talks")
    expect(row.get_by_title("waited for a person: 1 s: about person")).to_be_visible()
    expect(row.get_by_title("attempt 2: done, 10.0 s, 4.0 s of it waiting")).to_be_visible()
    expect(row.get_by_role("button")).to_have_accessible_name(re.compile("waited for a child run"))
    page.get_by_role("button", name="as a table").click()
    table = page.get_by_role("table", name="Timeline as a table")
    expect(table.get_by_role("row").filter(has_text="slept")).to_contain_text("1 s: about sleep")
    expect(table.get_by_role("row")).to_have_count(10)
    page.get_by_role("button", name="as bars").click()
    expect(table).to_be_hidden()


NOTHING: dict[str, Any] = {
    "outputs": [],
    "log": [],
    "attempts": [],
    "calls": [],
    "approvals": [],
    "code": "x = 1",
}


def test_pieces_and_log_grow_before_ones_eyes(blank: BlankPage) -> None:
    """In place: what is scrolled stays, and the end stays in sight otherwise."""
    blank.answers("step", value=NOTHING)
    blank.answers_by(
        "now",
        """() => ({ value: { log: [{ kind: "text", text:
          Array.from({ length: window.lines ?? 50 }, (_, n) => `line ${n}`).join("\\n") }] } })""",
    )

    def drafting(pieces: int) -> dict[str, Any]:
        text = "".join(f"word{number} " for number in range(pieces))
        stream = {"call": "w", "name": "write", "item": "", "step": "", "text": text}
        stream |= {"pieces": pieces, "is_cut": False, "is_over": False}
        return {"name": "draft", "state": "running", "streams": [stream]}

    blank.snapshot(drafting(2))
    page = blank.page
    page.get_by_role("button", name="draft: running").click()
    details = page.get_by_role("region", name="Details")
    expect(details).to_contain_text("write · 2 pieces")
    log = details.get_by_role("log").last
    expect(log).to_contain_text("line 49")
    at_end = "it => it.scrollHeight - it.scrollTop - it.clientHeight < 2"
    assert log.evaluate(at_end)
    page.evaluate("() => { window.lines = 80 }")
    expect(log).to_contain_text("line 79")
    assert log.evaluate(at_end)
    log.evaluate("it => { it.scrollTop = 40 }")
    page.evaluate("() => { window.lines = 90 }")
    blank.change(2, drafting(200))
    expect(details.get_by_role("log").first).to_contain_text("word199")
    expect(log).to_contain_text("line 89")
    assert log.evaluate("it => it.scrollTop") == 40
    blank.change(3, {"name": "draft", "state": "done"})
    expect(details.get_by_role("log")).to_have_count(0)


PAGE_OF_ITEMS = """({ at, most, query, only }) => {
  const isFailed = (key) => key.endsWith("77");
  const all = Array.from({ length: 10000 }, (_, n) => String(n));
  const keys = all.filter((key) => key.includes(query));
  const found = only === "failed" ? keys.filter(isFailed) : keys;
  const items = found.slice(at, at + most).map((key) => ({
    key, state: isFailed(key) ? "failed" : "done", attempt: 1, seconds: 0.1,
    said: `made ${key}`, start: 1e15 + 1e5 * key, end: 1e15 + 1e5 * key + 1e5 }));
  return { value: { total: found.length, at, items } };
}"""


def test_ten_thousand_items_are_all_reached(blank: BlankPage) -> None:
    """A page at a time, as somebody scrolls or looks for one; in the timeline as well."""
    blank.answers_by("items", PAGE_OF_ITEMS)
    shown = {"kind": "text", "text": "fifty-nine squared"}
    blank.answers("step", value={**NOTHING, "outputs": [{"name": "squared", "value": shown}]})
    counts = {"total": 10_000, "done": 9900, "failed": 100}
    squares = {"name": "squares", "state": "failed", "attempt": 1, "items": counts}
    span = ["squares", 1, 10**15, 10**15 + 10**9, "failed"]
    blank.snapshot(squares, spans=[span])
    page = blank.page
    page.get_by_role("button", name="squares: failed").click()
    items = page.get_by_role("list", name="Items of squares")
    expect(items).to_contain_text("made 3")
    items.evaluate("it => { it.scrollTop = it.scrollHeight }")
    expect(items).to_contain_text("made 9999")
    assert items.get_by_role("listitem").count() < 60
    assert len(blank.sent("items")) < 6
    page.get_by_role("combobox", name="Show only items").select_option("failed")
    expect(page.get_by_role("status").filter(has_text="100 found")).to_be_visible()
    page.get_by_role("searchbox", name="Find an item").fill("5977")
    expect(items.get_by_role("listitem")).to_have_count(1)
    items.get_by_role("button", name="5977: failed").click()
    expect(page.get_by_text("fifty-nine squared").last).to_be_visible()
    assert blank.sent("step")[-1]["item"] == "5977"
    page.get_by_role("tab", name="Timeline").click()
    page.get_by_role("button", name="Items of squares").click()
    rows = page.get_by_role("list", name="Timeline")
    expect(rows.get_by_role("listitem").nth(1)).to_contain_text("0")
    longest = page.evaluate(SCROLLED, ".sw-timeline-rows")
    print(f"longest frame while 10,000 items are scrolled: {longest:.0f} ms")
    assert longest < 500
    rows.evaluate("it => { it.scrollTop = it.scrollHeight }")
    expect(rows).to_contain_text("9999")
    assert rows.get_by_role("listitem").count() < 60


SCROLLED = """async (selector) => {
  const list = document.querySelector(selector);
  let longest = 0, last = performance.now();
  for (let frame = 0; frame < 90; frame += 1) {
    list.scrollTop += 900;
    await new Promise(requestAnimationFrame);
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }
  return longest;
}"""


def test_a_child_run_is_followed_while_it_is_open(blank: BlankPage) -> None:
    """Asked about once a second, drawn anew when it has changed, until it has ended."""
    blank.answers("step", value=NOTHING)
    blank.answers_by(
        "child",
        """() => { window.asked = (window.asked ?? 0) + 1; return { value: {
          mark: `m${window.asked}`, run: { id: "c1", flow: "look", status: "running" },
          steps: [{ name: "find", state: window.asked > 1 ? "done" : "running" }] } } }""",
    )
    child = {"run": "c1", "agent": "look", "status": "running"}
    blank.snapshot({"name": "search", "state": "running", "children": [child]})
    page = blank.page
    page.get_by_role("button", name="search: running").click()
    page.get_by_text("look").first.click()
    inner = page.locator(".sw-child")
    expect(inner.get_by_role("button", name="find: running")).to_be_visible()
    expect(inner.get_by_role("button", name="find: done")).to_be_visible()
    ended = {**child, "status": "completed"}
    blank.change(2, {"name": "search", "state": "done", "children": [ended]})
    expect(page.locator(".sw-child-box > summary")).to_contain_text("done")
    expect(inner).to_be_visible()
    page.wait_for_timeout(300)
    before = len(blank.sent("child"))
    page.wait_for_timeout(2200)
    assert len(blank.sent("child")) == before


def test_a_lost_message_is_noticed_and_asked_for(blank: BlankPage) -> None:
    """A gap in the numbers brings everything anew; told twice does no harm."""
    blank.snapshot(*steps(2))
    page = blank.page
    expect(page.get_by_role("button", name="s1: done")).to_be_visible()
    before = len(blank.sent("hello"))
    page.wait_for_timeout(1100)  # no more than one question a second
    blank.tell({"kind": "changes", "number": 3, "steps": [], "spans": [], "run": {"id": "r1"}})
    assert len(blank.sent("hello")) == before + 1
    for number in (2, 3):
        failed = {"name": "s1", "state": "failed", "after": ["s0"]}
        blank.tell({"kind": "changes", "number": number, "steps": [failed], "run": {"id": "r1"}})
    expect(page.get_by_role("button", name="s1: failed")).to_be_visible()


def test_without_a_kernel_the_static_view_comes_back(blank: BlankPage) -> None:
    """When the connection ends, what the notebook keeps is what is seen."""
    blank.snapshot(*steps(2))
    page = blank.page
    expect(page.get_by_text("static")).to_be_hidden()
    page.evaluate("() => window.end()")
    expect(page.get_by_text("static")).to_be_visible()
    expect(page.get_by_role("region", name="Run")).to_have_count(0)


def test_html_that_is_drawn_anew_is_covered_again(blank: BlankPage) -> None:
    """The front end may replace what it shows at any time; what was chosen stays chosen."""
    blank.snapshot(*steps(3))
    page = blank.page
    page.get_by_role("tab", name="Steps").click()
    page.evaluate(
        """() => {
          const old = document.querySelector(".stepwell-run-r1");
          const young = old.cloneNode(true);
          young.style.display = "";
          old.parentNode.replaceChildren(young);
        }"""
    )
    expect(page.get_by_role("region", name="Run")).to_have_count(1)
    expect(page.get_by_role("tab", name="Steps")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_text("static")).to_be_hidden()


def test_a_form_asks_for_each_kind_of_value(blank: BlankPage) -> None:
    """Text, number, choice, date, yes or no, lists and nested models; nothing is invented."""
    schema = {
        "type": "object",
        "$defs": {
            "Author": {
                "type": "object",
                "title": "Author",
                "properties": {"name": {"type": "string", "minLength": 2}},
                "required": ["name"],
            }
        },
        "properties": {
            "title": {"type": "string"},
            "kind": {"enum": ["memo", "report"]},
            "count": {"type": "integer", "minimum": 1},
            "day": {"type": "string", "format": "date"},
            "public": {"type": "boolean"},
            "tags": {"type": "array", "title": "Tag", "items": {"type": "string"}},
            "author": {"$ref": "#/$defs/Author"},
            "limit": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
            "free": {},
        },
        "required": ["title", "count"],
    }
    value = {"title": "A", "count": 3, "tags": ["x"], "author": {"name": "Ana"}, "kind": "memo"}
    asked = {"id": "q", "step": "publish", "question": "Publish?", "status": "pending"}
    blank.answers("approval", value={**asked, "can_edit": True, "schema": schema, "value": value})
    blank.answers("decide", value={**asked, "status": "edited", "by": "ana"})
    blank.snapshot({"name": "publish", "state": "needs a person"}, approvals=[asked])
    page = blank.page
    page.get_by_role("button", name="Edit").click()
    expect(page.get_by_label("title")).to_be_focused()
    page.get_by_label("kind").select_option("report")
    page.get_by_label("count").fill("0")
    page.get_by_label("day").fill("2026-11-28")
    page.get_by_label("public").check()
    page.get_by_role("button", name="Add Tag").click()
    page.get_by_label("Tag 2", exact=True).fill("y")
    page.get_by_label("name").fill("B")
    page.get_by_role("button", name="Approve changes").click()
    expect(page.get_by_label("count")).to_be_focused()
    expect(page.get_by_label("count")).to_have_accessible_description("is less than 1")
    expect(page.get_by_label("name")).to_have_accessible_description("is shorter than 2 characters")
    assert blank.sent("decide") == []
    page.get_by_label("count").fill("4")
    page.get_by_label("name").fill("Bo")
    expect(page.get_by_label("What you change")).to_contain_text("-memo")
    page.screenshot(path="build/screenshots/form.png")
    page.get_by_role("button", name="Approve changes").click()
    expect(page.get_by_text("approved with changes")).to_be_visible()
    [said] = blank.sent("decide")
    assert said["decision"] == "approve"
    assert said["value"] == {
        "title": "A",
        "kind": "report",
        "count": 4,
        "day": "2026-11-28",
        "public": True,
        "tags": ["x", "y"],
        "author": {"name": "Bo"},
    }


def test_what_the_kernel_refuses_stands_beside_the_field(blank: BlankPage) -> None:
    """A validator of the asker's has the last word, and says it where it belongs."""
    schema = {"type": "object", "properties": {"price": {"type": "number"}}}
    asked = {"id": "q", "step": "publish", "question": "Publish?", "status": "pending"}
    blank.answers(
        "approval", value={**asked, "can_edit": True, "schema": schema, "value": {"price": 7}}
    )
    blank.answers("decide", error="x", type="InvalidAnswer", problems=[["price", "is unlucky"]])
    blank.snapshot({"name": "publish", "state": "needs a person"}, approvals=[asked])
    page = blank.page
    page.get_by_role("button", name="Edit").click()
    page.get_by_role("button", name="Approve changes").click()
    expect(page.get_by_label("price")).to_have_accessible_description("is unlucky")
    expect(page.get_by_text("Not accepted; nothing was decided.")).to_be_visible()
    expect(page.get_by_role("button", name="Approve changes")).to_be_enabled()


def test_who_comes_second_is_told_who_was_first(blank: BlankPage) -> None:
    """A refused decision shows the one that holds."""
    asked = {"id": "q", "step": "publish", "question": "Publish?", "status": "pending"}
    blank.answers("approval", value={**asked})
    blank.snapshot({"name": "publish", "state": "needs a person"}, approvals=[asked])
    page = blank.page
    expect(page.get_by_role("button", name="Approve")).to_be_enabled()
    decided = {**asked, "status": "rejected", "by": "bo", "channel": "magic", "note": "too dear"}
    blank.answers("approval", value=decided)
    blank.answers("decide", error="it was rejected before by bo", type="ApprovalClosed")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("by bo (magic)")).to_be_visible()
    expect(page.get_by_text("too dear")).to_be_visible()
    expect(page.get_by_text("it was rejected before by bo")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)


def test_a_kernel_that_does_not_answer_is_explained(blank: BlankPage) -> None:
    """While a decision is on its way it is not called made, and another way is named."""
    asked = {"id": "q", "step": "publish", "question": "Publish?", "status": "pending"}
    blank.answers("approval", value={**asked})
    blank.snapshot({"name": "publish", "state": "needs a person"}, approvals=[asked])
    page = blank.page
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("Sending…")).to_be_visible()
    expect(page.get_by_text("stepwell approve publish")).to_be_visible()
    expect(page.get_by_text("approved", exact=True)).to_have_count(0)
    [said] = blank.sent("decide")
    blank.tell({"kind": "answer", "id": said["id"], "value": {**asked, "status": "approved"}})
    expect(page.get_by_text("✓ approved")).to_be_visible()


def test_whether_an_attempt_has_happened_is_asked_in_three_words(blank: BlankPage) -> None:
    """Of an item by its name; what it gave is JSON, and a result is needed."""
    asked = {
        "id": "q",
        "step": "pay",
        "item": "bob",
        "question": "May have happened",
        "form": "in_doubt",
    }
    asked = {**asked, "edit": ["paid"], "status": "pending"}
    blank.answers("approval", value={**asked, "can_edit": True, "value": None, "schema": None})
    blank.answers("decide", value={**asked, "status": "answered", "by": "ana"})
    blank.snapshot({"name": "pay", "state": "needs a person"}, approvals=[asked])
    page = blank.page
    expect(page.get_by_text("pay[bob]")).to_be_visible()
    for word in ("Run it again", "It failed"):
        expect(page.get_by_role("button", name=word)).to_be_visible()
    page.get_by_role("button", name="It happened").click()
    page.get_by_label("paid").fill("receipt 7")
    page.get_by_role("button", name="It happened, with this result").click()
    assert blank.sent("decide") == []
    page.get_by_label("paid").fill('"receipt 7"')
    page.get_by_role("button", name="It happened, with this result").click()
    expect(page.get_by_text("answered")).to_be_visible()
    [said] = blank.sent("decide")
    assert (said["decision"], said["value"]) == ("answer", "receipt 7")
