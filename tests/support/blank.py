"""A page with nothing in it but stepwell's script, and a kernel that the test plays."""

import json
from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Page

from stepwell.widgets._script import script, style

_PAGE = """<!doctype html><meta charset="utf-8"><style>body { font: 13px sans-serif }</style>
<body><div class="stepwell-run-r1">static</div>"""

_START = """async ([script, style]) => {
  document.head.append(Object.assign(document.createElement("style"), { textContent: style }));
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  const calls = {};
  window.sent = [];
  window.answers = {};
  const model = {
    on: (event, call) => { calls[event] = call; },
    off: (event) => { delete calls[event]; },
    send: (message) => {
      window.sent.push(message);
      const made = window.answers[message.kind];
      const value = typeof made === "function" ? made(message) : made;
      const answer = { kind: "answer", id: message.id, ...value };
      if (value !== undefined) setTimeout(() => window.tell(answer));
    },
  };
  window.tell = (message) => calls["msg:custom"]?.(message);
  window.end = widget.initialize({ model });
}"""


class BlankPage:
    """The script in a page of its own."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.set_content(_PAGE)
        page.evaluate(_START, [script(), style()])

    def tell(self, message: dict[str, Any]) -> None:
        """A message from the kernel."""
        self.page.evaluate("(message) => window.tell(message)", message)

    def answers(self, kind: str, **value: Any) -> None:
        """What requests of a kind are answered with from now on: `value=` or `error=`."""
        self.page.evaluate("([kind, value]) => { window.answers[kind] = value }", [kind, value])

    def answers_by(self, kind: str, function: str) -> None:
        """The same by a function of JavaScript, from the request to `{value}` or `{error}`."""
        self.page.evaluate(f"([kind]) => {{ window.answers[kind] = {function} }}", [kind])

    def change(self, number: int, *steps: dict[str, Any]) -> None:
        """Some steps as they are now."""
        run = {"id": "r1", "status": "running"}
        message = {"kind": "changes", "number": number, "steps": list(steps), "spans": []}
        self.tell({**message, "stretches": [], "run": run})

    def sent(self, kind: str) -> list[dict[str, Any]]:
        """What the page has said."""
        found: list[dict[str, Any]] = json.loads(
            self.page.evaluate("() => JSON.stringify(window.sent)")
        )
        return [message for message in found if message["kind"] == kind]

    def snapshot(
        self,
        *steps: dict[str, Any],
        spans: Sequence[list[Any]] = (),
        stretches: Sequence[list[Any]] = (),
        **run: Any,
    ) -> None:
        """The whole run."""
        facts = {"id": "r1", "status": "running", **run}
        times = {"spans": list(spans), "stretches": list(stretches)}
        self.tell(
            {
                "kind": "snapshot",
                "number": 1,
                "run": facts,
                "steps": list(steps),
                "verbs": ["run"],
                **times,
            }
        )
