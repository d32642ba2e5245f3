// @ts-check
// A run to look at and to steer: its flow, its times, its steps, and one of them close by.
import { dress, fill, freshId, h, isolated, oneLine } from "./dom.js";
import { clock, cost, count, duration, elapsed, gist, look, now, plural, share, sign } from "./format.js";
import { Details } from "./details.js";
import { Elsewhere } from "./elsewhere.js";
import { Graph } from "./graph.js";
import { LongList } from "./list.js";
import { Timeline } from "./timeline.js";

const TABS = /** @type {const} */ (["Flow", "Timeline", "Steps"]);
const FILTERS = ["all", "running", "waiting", "failed", "done", "restored", "stale", "skipped", "needs a person", "cancelled", "not run"];
const BUSY = { run: "Run", pause: "Pause", continue: "Continue", cancel: "Cancel" };
const STEP_ROW = 30;
const CLOSED = 12_000; // milliseconds for which a decided question stays in sight

export class RunPane {
  /**
   * @param {import("./link.js").Link} link
   * @param {import("./link.js").RunState} state
   * @param {{ isChild?: boolean, child: (facts: any) => import("./child.js").ChildRun,
   *   approval: (approval: any) => import("./approval.js").Approval }} around
   */
  constructor(link, state, around) {
    this.link = link;
    this.state = state;
    this.around = around;
    this.selected = "";
    this.tab = "Flow";
    this.query = "";
    this.filter = "all";
    this.said = "";
    /** @type {Map<string, import("./approval.js").Approval>} */
    this.questions = new Map();
    /** @type {import("./link.js").Step[]} */
    this.shown = [];
    this.graph = new Graph({ select: (name) => this.select(name), list: (names) => this._list(names) });
    this.timeline = new Timeline({ select: (name) => this.select(name), items: (name, what) => link.ask("items", { ...what, step: name, run: state.run.id }), say: (problem) => this.say(problem) });
    this.elsewhere = new Elsewhere(link, around.approval);
    this.list = new LongList(STEP_ROW, (index) => this._row(this.shown[index]), { label: "Steps", className: "sw-steps" });
    this.details = new Details({
      ask: (kind, what) => link.ask(kind, { ...what, run: state.run.id }),
      act: (verb, step) => this._act(verb, step),
      verbs: () => (around.isChild ? [] : state.verbs),
      child: around.child,
      close: () => this.select(""),
    });
    this.element = this._frame();
    this._show(this.tab);
  }

  _frame() {
    const id = freshId("view");
    this.head = h("div", { class: "sw-head" });
    this.totals = h("div", { class: "sw-totals" });
    this.status = h("div", { class: "sw-said", role: "status", "aria-live": "polite" });
    this.asks = h("div", { class: "sw-asks" });
    this.tabs = h("div", { class: "sw-tabs", role: "tablist", "aria-label": "Views of the run" }, TABS.map((name) => this._tab(name, id)));
    this.search = h("input", { type: "search", class: "sw-search", placeholder: "Find a step", "aria-label": "Find a step" });
    this.search.addEventListener("input", () => this._narrow(/** @type {HTMLInputElement} */ (this.search).value, this.filter));
    this.select_ = h("select", { class: "sw-filter", "aria-label": "Show only" }, FILTERS.map((word) => h("option", { value: word }, word)));
    this.select_.addEventListener("change", () => this._narrow(this.query, /** @type {HTMLSelectElement} */ (this.select_).value));
    this.panels = h("div", { class: "sw-panels" },
      this._panel("Flow", id, this.graph.element), this._panel("Timeline", id, this.timeline.element), this._panel("Steps", id, this.list.element));
    return h("div", { class: `sw-view mathjax_ignore ${this.around.isChild ? "sw-child" : ""}`, role: "region", "aria-label": this.around.isChild ? "Child run" : "Run" },
      this.head, this.totals, this.status, this.asks, this.around.isChild ? null : this.elsewhere.element,
      h("div", { class: "sw-bar-row" }, this.tabs, h("div", { class: "sw-find" }, this.search, this.select_)),
      h("div", { class: "sw-main" }, this.panels, this.details.element));
  }

  /** @param {string} name @param {string} id */
  _tab(name, id) {
    const button = h("button", { type: "button", role: "tab", id: `${id}-${name}-tab`, "aria-controls": `${id}-${name}`, class: "sw-tab", "data-tab": name, onclick: () => this._show(name) }, name);
    button.addEventListener("keydown", (event) => {
      const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      if (!step) return;
      const next = TABS[(TABS.indexOf(/** @type {any} */ (name)) + step + TABS.length) % TABS.length];
      this._show(next);
      const other = this.tabs?.querySelector(`[data-tab="${next}"]`);
      if (other instanceof HTMLElement) other.focus();
      event.preventDefault();
    });
    return button;
  }

  /** @param {string} name @param {string} id @param {HTMLElement} content */
  _panel(name, id, content) {
    return h("div", { role: "tabpanel", id: `${id}-${name}`, "aria-labelledby": `${id}-${name}-tab`, "data-panel": name, class: "sw-panel" }, content);
  }

  // -- what people do -----------------------------------------------------------------

  /** @param {string} name */
  _show(name) {
    this.tab = name;
    for (const button of this.tabs?.children ?? []) {
      const isThis = button.getAttribute("data-tab") === name;
      dress(button, { "aria-selected": String(isThis), tabindex: isThis ? 0 : -1 });
    }
    for (const panel of this.panels?.children ?? []) /** @type {HTMLElement} */ (panel).hidden = panel.getAttribute("data-panel") !== name;
    this.update();
  }

  /** Look at a step from close by, or at none. @param {string} name */
  select(name) {
    const before = this.selected;
    this.selected = name === this.selected ? "" : name;
    this.update();
    this.graph.reveal(this.selected);
    if (!this.selected && before) this.graph.buttons.get(before)?.focus();
  }

  /** @param {string} query @param {string} filter */
  _narrow(query, filter) {
    this.query = query;
    this.filter = filter;
    this.only = undefined;
    if (this.tab === "Flow" && (query || filter !== "all")) this._show("Steps");
    else this.update();
  }

  /** @param {string[]} names */
  _list(names) {
    this.only = new Set(names);
    this._show("Steps");
  }

  /** @param {string} verb @param {string} [step] */
  async _act(verb, step = "") {
    const what = `${verb}${step ? ` ${oneLine(step, 60)}` : ""}`;
    const slow = () => this.say(`${what}: the kernel is busy with a cell; it is done as soon as that has ended.`);
    try {
      this.say((await this.link.ask("act", { verb, step }, slow)) ?? "");
    } catch (error) {
      this.say(`${what}: ${/** @type {Error} */ (error).message}`);
    }
  }

  /** @param {string} text */
  say(text) {
    this.said = text;
    if (this.status) fill(this.status, text && isolated(oneLine(text, 600)));
  }

  // -- what they see --------------------------------------------------------------------

  update() {
    if (!this.state.isKnown) return;
    this._drawHead();
    this._drawAsks();
    if (!this.around.isChild) this.elsewhere.update();
    this.shown = this._matching();
    if (this.tab === "Flow") this.graph.update(this.state, this.selected);
    if (this.tab === "Timeline") this.timeline.update(this.state, this.shown, this.selected);
    if (this.tab === "Steps") this.list.update(this.shown.length);
    this.details.update(this.state.steps.get(this.selected));
    this.element.classList.toggle("sw-has-details", !this.details.element.hidden);
  }

  _matching() {
    const words = this.query.toLowerCase().split(/\s+/).filter(Boolean);
    return [...this.state.steps.values()].filter((step) => {
      if (this.only && !this.only.has(step.name)) return false;
      if (this.filter !== "all" && step.state !== this.filter) return false;
      const said = `${step.name} ${step.writes.join(" ")} ${step.error?.kind ?? ""} ${step.error?.message ?? ""}`.toLowerCase();
      return words.every((word) => said.includes(word));
    });
  }

  _drawHead() {
    const { run } = this.state;
    const counts = this._counts();
    const total = this.state.steps.size;
    const done = (counts.get("done") ?? 0) + (counts.get("restored") ?? 0);
    const said = [...counts].filter(([word]) => !["done", "restored"].includes(word)).flatMap(([word, number]) => [" · ", h("span", { class: `${look(word)} ${LOUD.has(word) ? "sw-loud" : ""}` }, `${count(number)} ${word}`)]);
    const mark = JSON.stringify([run, [...counts], this._elapsed(), this.state.verbs, this.link.isAlive]);
    if (mark === this._headMark) return;
    this._headMark = mark;
    const state = statusLook(run.status, counts);
    // Buttons stay the same elements, so that they keep the keyboard.
    if (!this._buttons) this._buttons = h("div", { class: "sw-buttons" });
    this._drawButtons();
    fill(this.head ?? this.element,
      h("span", { class: `sw-chip ${look(state)}` }, `${sign(state)} ${state === "needs a person" ? state : run.is_paused ? "paused" : run.status}`),
      h("span", { class: "sw-name" }, this.around.isChild && run.flow ? isolated(oneLine(run.flow, 60)) : "run", " ", h("code", {}, run.id)),
      h("span", { class: "sw-muted" }, `${count(done)} of ${plural(total, "step")} done`, said),
      this._buttons);
    fill(this.totals ?? this.element, meter(counts, total), h("div", { class: "sw-muted sw-facts" }, this._totals().join(" · ")));
  }

  _counts() {
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const step of this.state.steps.values()) counts.set(step.state, (counts.get(step.state) ?? 0) + 1);
    return counts;
  }

  _elapsed() {
    const { run } = this.state;
    return run.status === "running" && run.started ? elapsed((now() - run.started) / 1e6) : "";
  }

  _totals() {
    const { run } = this.state;
    return [
      run.started ? `started ${clock(run.started)}` : "",
      run.spent ? `${duration(run.spent)} of work` : "",
      run.saved ? `reuse saved ${duration(run.saved)}` : "",
      run.cost ? `cost ${cost(run.cost)}` : "",
      run.tokens ? `${count(run.tokens)} tokens` : "",
    ].filter(Boolean);
  }

  _drawButtons() {
    const other = this.state.run.is_paused ? "pause" : "continue";
    const verbs = this.around.isChild ? [] : this.state.verbs.filter((verb) => verb !== other);
    const mark = JSON.stringify([verbs, this.link.isAlive]);
    if (!this._buttons || mark === this._buttonMark) return;
    this._buttonMark = mark;
    fill(this._buttons, Object.entries(BUSY).filter(([verb]) => verbs.includes(verb)).map(([verb, label]) =>
      h("button", { type: "button", class: `sw-button ${verb === "run" ? "sw-main-button" : ""}`, onclick: () => this._act(verb), disabled: !this.link.isAlive }, label)));
  }

  /** @param {any} asked */
  _question(asked) {
    const known = this.questions.get(asked.id) ?? this.around.approval(asked);
    this.questions.set(asked.id, known);
    return known;
  }

  _drawAsks() {
    const asked = this.around.isChild ? [] : this.state.run.approvals;
    const open = new Set(asked.map((approval) => approval.id));
    for (const approval of asked) this._question(approval);
    for (const [id, question] of this.questions) {
      question.tick();
      if (!open.has(id)) this._settle(id, question);
    }
    const places = [...this.questions.values()].map((question) => question.element);
    const isSame = places.length === this.asks?.childElementCount && places.every((place) => place.parentNode === this.asks);
    // A form that is moved loses the keyboard.
    if (!isSame) fill(this.asks ?? this.element, places);
  }

  /** Decided, here or elsewhere: how, for a while. @param {string} id @param {import("./approval.js").Approval} question */
  _settle(id, question) {
    if (this._settling?.has(id)) return;
    this._settling = (this._settling ?? new Set()).add(id);
    void question.settle();
    setTimeout(() => {
      this.questions.delete(id);
      this._settling?.delete(id);
      if (!this.element.contains(document.activeElement) || !question.element.contains(document.activeElement)) question.element.remove();
    }, CLOSED);
  }

  /** @param {Element} anchor */
  isFor(anchor) {
    return anchor.classList.contains(`stepwell-run-${this.state.run.id}`);
  }

  /** @param {import("./link.js").Step} step */
  _row(step) {
    const done = ["running", "waiting"].includes(step.state) ? share(step) : null;
    const isChosen = step.name === this.selected;
    return h("div", { role: "listitem", class: "sw-row-item" },
      h("button", { type: "button", class: `sw-step-row ${look(step.state)} ${isChosen ? "sw-chosen" : ""}`, onclick: () => this.select(step.name), "aria-pressed": String(isChosen) },
        h("span", { class: "sw-sign", "aria-hidden": "true" }, sign(step.state)),
        h("span", { class: "sw-step-name" }, isolated(oneLine(step.name, 80))),
        h("span", { class: "sw-step-state" }, step.state),
        h("span", { class: "sw-step-gist" }, isolated(oneLine(gist(step), 100)), done !== null && h("progress", { max: 1, value: done })),
        h("span", { class: "sw-step-when sw-muted" }, clock(step.since))));
  }
}

const LOUD = new Set(["failed", "needs a person"]);

/** @param {string} status @param {Map<string, number>} counts */
function statusLook(status, counts) {
  if (counts.has("running") && status === "running") return "running";
  if (counts.has("needs a person")) return "needs a person";
  if (status === "failed" || (status !== "running" && counts.has("failed"))) return "failed";
  if (status === "completed") return "done";
  return status === "running" || status === "cancelled" ? status : "waiting";
}

const METER = ["done", "restored", "skipped", "running", "needs a person", "stale", "failed", "cancelled"];

/** @param {Map<string, number>} counts @param {number} total */
function meter(counts, total) {
  const parts = METER.filter((word) => counts.get(word)).map((word) =>
    h("span", { class: look(word), style: `flex-grow:${counts.get(word)}`, title: `${count(counts.get(word) ?? 0)} ${word}` }));
  const known = METER.reduce((sum, word) => sum + (counts.get(word) ?? 0), 0);
  parts.push(h("span", { class: "sw-rest", style: `flex-grow:${Math.max(0, total - known)}` }));
  return h("div", { class: "sw-meter", "aria-hidden": "true" }, parts);
}
