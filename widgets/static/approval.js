// @ts-check
// A question to a person: what it is about, and the ways to answer. It says "approved" when
// the store says so, and not before.
import { fill, freshId, h, isolated, oneLine } from "./dom.js";
import { difference } from "./difference.js";
import { clock, elapsed, now } from "./format.js";
import { Form } from "./form.js";
import { schemaOf } from "./schema.js";
import { diff, draw } from "./value.js";

const OPENED_BY = { edit: "Edit", reject: "Reject", happened: "It happened" };
const WORDS = { approved: "approved", rejected: "rejected", edited: "approved with changes", answered: "answered", expired: "expired", voided: "void" };
const SIGNS_OF = { approved: "✓", edited: "✓", answered: "✓", rejected: "✗" };
const LOOKS_OF = { approved: "sw-is-done", edited: "sw-is-done", answered: "sw-is-done", rejected: "sw-is-failed" };

export class Approval {
  /**
   * @param {import("./link.js").Link} link
   * @param {any} facts of the question, as the run tells it
   */
  constructor(link, facts) {
    this.link = link;
    this.facts = { question: "", step: "", form: "approve", ...facts };
    this.details = null;
    this.mode = "";
    this.isSending = false;
    const id = freshId("question");
    this.head = h("div", { class: "sw-ask-head" });
    this.question = h("div", { class: "sw-question", id, role: "heading", "aria-level": 3 }, isolated(oneLine(this.facts.question || `Go on with ${this.facts.step}?`, 4000)));
    this.payload = h("div", { class: "sw-payload" });
    this.work = h("div", { class: "sw-ask-work" });
    this.buttons = h("div", { class: "sw-buttons" });
    this.said = h("div", { class: "sw-ask-said", role: "status", "aria-live": "polite" });
    this.element = h("section", { class: "sw-ask mathjax_ignore sw-is-needs-a-person", "aria-labelledby": id, tabindex: -1 }, this.head, this.question, this.payload, this.work, this.buttons, this.said);
    this.element.addEventListener("keydown", (event) => this._key(event));
    this.tick();
    this._rest();
    void this._load();
  }

  get isOpen() {
    return (this.facts.status ?? "pending") === "pending";
  }

  /** The time that is left. */
  tick() {
    if (!this.isOpen) return;
    const due = this.facts.due ? `${elapsed(Math.max(0, this.facts.due - now()) / 1e6)} left, then ${this._fate()}` : "";
    const rest = [oneLine(this.facts.item ? `${this.facts.step}[${this.facts.item}]` : this.facts.step, 100), this._origin(), this.facts.requested ? `asked ${clock(this.facts.requested)}` : "", due].filter(Boolean).join(" · ");
    if (rest === this._shownRest) return;
    this._shownRest = rest;
    fill(this.head, h("span", { class: "sw-chip" }, "! needs a person"), h("span", { class: "sw-muted" }, isolated(rest)));
  }

  /** Of a run that nobody advances here: which one. */
  _origin() {
    if (!this.facts.run) return "";
    const notebook = oneLine(String(this.facts.notebook ?? "").split(/[\\/]/).pop() ?? "", 60);
    return `run ${oneLine(this.facts.run, 20)}${notebook ? ` of ${notebook}` : ""}`;
  }

  _fate() {
    return { approve: "it is approved", fail: "the step fails" }[/** @type {string} */ (this.facts.on_timeout)] ?? "it is rejected";
  }

  /** It is not among the open questions any more: find out how it was decided. */
  async settle() {
    if (!this.isOpen || this.isSending) return;
    try {
      const found = await this.link.ask("approval", { approval: this.facts.id });
      if ((found.status ?? "pending") !== "pending") this._close(found);
    } catch (error) {
      this._say(/** @type {Error} */ (error).message);
    }
  }

  async _load() {
    try {
      this.details = await this.link.ask("approval", { approval: this.facts.id });
    } catch (error) {
      this._say(/** @type {Error} */ (error).message);
      return;
    }
    if ((this.details.status ?? "pending") !== "pending") {
      this._close(this.details);
      return;
    }
    fill(this.payload, this.details.payload && draw(this.details.payload));
    if (!this.mode) this._rest();
  }

  // -- ways to answer ---------------------------------------------------------------------

  /** Nothing begun: the buttons. */
  _rest() {
    this.mode = "";
    fill(this.work);
    if (this.facts.form === "ask") {
      if (this.details) this._ask();
      return;
    }
    if (this.facts.form === "in_doubt") {
      this._buttons([
        ["It happened", () => this._happened(), ""],
        ["Run it again", () => this._send({ decision: "approve" }), ""],
        ["It failed", () => this._reject(), ""],
      ]);
      return;
    }
    this._buttons([
      ["Approve", () => this._send({ decision: "approve" }), "sw-yes"],
      this.details?.can_edit && ["Edit", () => this._edit(), ""],
      ["Reject", () => this._reject(), ""],
      this.facts.tool && ["Always", () => this._send({ decision: "approve", always: true }), ""],
    ]);
  }

  /** An attempt that was cut off came to its end: with which results? */
  _happened() {
    const names = this.facts.edit ?? [];
    if (!names.length) {
      void this._send({ decision: "answer" });
      return;
    }
    this.mode = "happened";
    const parts = Object.fromEntries(names.map((/** @type {string} */ name) => [name, { title: name }]));
    const schema = names.length === 1 ? parts[names[0]] : { type: "object", properties: parts, required: names };
    this.form = new Form(schema, undefined, { label: "Result" });
    fill(this.work, this.form.element);
    this._buttons([["It happened, with this result", () => this._sendForm("answer"), "sw-yes"], ["Back", () => this._back("It happened"), ""]]);
    this.form.focus();
  }

  /** A question that wants a value. */
  _ask() {
    this.form = new Form(this.details.schema ?? schemaOf(this.details.value ?? ""), this.details.value, { label: "Answer" });
    fill(this.work, this.form.element);
    this._buttons([["Answer", () => this._sendForm("answer"), "sw-yes"], ["Reject", () => this._reject(), ""]]);
  }

  _edit() {
    this.mode = "edit";
    const before = this.details.value;
    const changes = h("div", { class: "sw-changes", "aria-label": "What you change" });
    const show = () => fill(changes, ...this._changes(before));
    this.form = new Form(this.details.schema ?? schemaOf(before), before, { label: "Edit", changed: () => setTimeout(show, 100) });
    fill(this.work, this.form.element, changes);
    this._buttons([["Approve changes", () => this._sendForm("approve"), "sw-yes"], ["Back", () => this._back("Edit"), ""]]);
    this.form.focus();
  }

  /** @param {any} before */
  _changes(before) {
    const after = this.form?.read();
    const rows = changed(before, after, []);
    return rows.slice(0, 50).map(({ path, was, is }) => h("div", {}, h("div", { class: "sw-muted" }, oneLine(path.join(".") || "value", 120)), diff(difference(written(was), written(is)))));
  }

  _reject() {
    this.mode = "reject";
    const id = freshId("reason");
    const reason = /** @type {HTMLTextAreaElement} */ (h("textarea", { id, rows: 3, dir: "auto" }));
    fill(this.work, h("div", { class: "sw-field" }, h("label", { for: id }, "Reason"), reason, h("div", { class: "sw-hint" }, "Kept word for word; the step's code is told.")));
    this._buttons([["Reject", () => this._send({ decision: "reject", reason: reason.value }), "sw-no"], ["Back", () => this._back("Reject"), ""]]);
    reason.focus();
  }

  /** @param {string} button that had opened this */
  _back(button) {
    this._say("");
    this._rest();
    this._focus(button);
  }

  /** @param {KeyboardEvent} event */
  _key(event) {
    // The notebook has commands of its own for single keys.
    event.stopPropagation();
    if (event.key === "Escape" && this.mode) {
      this._back(OPENED_BY[/** @type {keyof typeof OPENED_BY} */ (this.mode)]);
      event.preventDefault();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !this.isSending && this.isOpen) {
      const first = this.buttons.querySelector("button");
      if (this.mode || this.facts.form === "ask") first?.click();
      event.preventDefault();
    }
  }

  /** @param {(false | undefined | "" | [string, () => void, string])[]} buttons */
  _buttons(buttons) {
    const made = buttons.filter((button) => !!button).map(([label, act, kind]) => h("button", { type: "button", class: `sw-button ${kind}`, onclick: act, disabled: this.isSending }, label));
    fill(this.buttons, made);
  }

  /** @param {string} label */
  _focus(label) {
    const button = [...this.buttons.children].find((one) => one.textContent === label);
    if (button instanceof HTMLElement) button.focus();
    else this.element.focus();
  }

  // -- sending ------------------------------------------------------------------------------

  /** @param {string} decision */
  _sendForm(decision) {
    if (!this.form?.check()) {
      this._say("Not sent yet: see the fields that are marked.");
      return;
    }
    void this._send({ decision, value: this.form.read() });
  }

  /** @param {any} what */
  async _send(what) {
    if (this.isSending) return;
    this.isSending = true;
    this._enable(false);
    this._say("Sending…");
    try {
      this._close(await this.link.ask("decide", { approval: this.facts.id, ...what }, () => this._say(this._slow())));
    } catch (error) {
      this._refused(/** @type {any} */ (error));
    } finally {
      this.isSending = false;
      if (this.isOpen) this._enable(true);
    }
  }

  _slow() {
    return `The kernel has not answered yet: it is busy with a cell. The decision is stored as soon as it is free. To decide at once, in a terminal: stepwell approve ${oneLine(this.facts.step, 60)}`;
  }

  /** @param {any} error */
  _refused(error) {
    const problems = error.problems ?? [];
    const rest = problems.length && this.form && this.mode !== "reject" ? this.form.show(problems) : [];
    if (problems.length) this._say(["Not accepted; nothing was decided.", ...rest.map(([field, what]) => `${field} ${what}`.trim())].join(" "));
    else this._say(error.message);
    if (!problems.length && error.name !== "gone") void this._look();
  }

  /** Refused: perhaps because somebody else was first. */
  async _look() {
    try {
      const found = await this.link.ask("approval", { approval: this.facts.id });
      if ((found.status ?? "pending") !== "pending") this._close(found, this.said.textContent ?? "");
    } catch {
      // What was said stands.
    }
  }

  /** @param {boolean} isOn */
  _enable(isOn) {
    for (const control of this.element.querySelectorAll("button, input, textarea, select")) /** @type {any} */ (control).disabled = !isOn;
  }

  /** @param {string} text */
  _say(text) {
    fill(this.said, text && isolated(oneLine(text, 1000)));
  }

  /** It is decided, says the store. @param {any} facts @param {string} [why] */
  _close(facts, why = "") {
    this.facts = { ...this.facts, ...facts };
    const had = this.element.contains(document.activeElement);
    const status = /** @type {keyof typeof WORDS} */ (facts.status);
    const look = LOOKS_OF[/** @type {keyof typeof LOOKS_OF} */ (status)] ?? "sw-is-cancelled";
    this.element.classList.remove("sw-is-needs-a-person");
    this.element.classList.add("sw-closed", look);
    const isLate = facts.by === "timeout";
    const by = facts.by ? `by ${facts.by}${facts.channel ? ` (${facts.channel})` : ""}` : "";
    const who = [isLate ? "its time was up" : by, facts.decided ? clock(facts.decided) : ""].filter(Boolean).join(" · ");
    const begun = this.mode && !this.isSending ? "What was begun here was not sent." : "";
    fill(this.head, h("span", { class: "sw-chip" }, `${SIGNS_OF[/** @type {keyof typeof SIGNS_OF} */ (status)] ?? "⊘"} ${WORDS[status] ?? status}`), h("span", { class: "sw-muted" }, isolated(oneLine(`${this.facts.step} · ${who}`, 200))));
    fill(this.payload);
    fill(this.work, facts.note && h("div", { class: "sw-reason", dir: "auto" }, oneLine(facts.note, 2000)));
    fill(this.buttons);
    const later = this.facts.run && !why ? `Stored. That run takes it up when it goes on: %stepwell resume ${oneLine(this.facts.run, 20)}` : "";
    this._say(why || begun || later);
    this.mode = "";
    if (had) this.element.focus({ preventScroll: true });
  }
}

/**
 * Where two values differ, each place once.
 * @param {any} was @param {any} is @param {string[]} path
 * @returns {{ path: string[], was: any, is: any }[]}
 */
function changed(was, is, path) {
  if (JSON.stringify(was) === JSON.stringify(is)) return [];
  const areBoth = was && is && typeof was === "object" && typeof is === "object" && Array.isArray(was) === Array.isArray(is);
  if (!areBoth || path.length > 6) return [{ path, was, is }];
  if (Array.isArray(was) && was.length !== is.length) return [{ path, was, is }];
  return [...new Set([...Object.keys(was), ...Object.keys(is)])].flatMap((key) => changed(was[key], is[key], [...path, key]));
}

/** @param {any} value */
function written(value) {
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
