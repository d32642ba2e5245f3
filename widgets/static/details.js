// @ts-check
// One step from close by: what it made, said, read, called, and how each attempt ended.
import { fill, h, isolated, oneLine } from "./dom.js";
import { clock, cost, count, duration, gist, look, plural, sign } from "./format.js";
import { about, code, diff, draw, text } from "./value.js";

/**
 * @typedef {{ ask: (kind: string, what?: any) => Promise<any>,
 *   act: (verb: string, step: string) => void, verbs: () => string[],
 *   child: (run: string) => HTMLElement,
 *   close: () => void }} Surroundings
 */

export class Details {
  /** @param {Surroundings} around */
  constructor(around) {
    this.around = around;
    this.head = h("div", { class: "sw-details-head" });
    this.trouble = h("div", { class: "sw-details-trouble" });
    this.body = h("div", { class: "sw-details-body" });
    this.element = h("section", { class: "sw-details", "aria-label": "Details", tabindex: -1 }, this.head, this.trouble, this.body);
    this.name = "";
    this._mark = "";
    this._loaded = "";
    this._drawn = "";
    /** @type {Map<string, boolean>} which sections somebody has opened or closed */
    this._folds = new Map();
  }

  /** @param {import("./link.js").Step | undefined} step */
  update(step) {
    this.element.hidden = !step;
    if (!step) {
      this.name = "";
      return;
    }
    if (step.name !== this.name) {
      this.name = step.name;
      this._mark = this._loaded = this._drawn = "";
      fill(this.body, h("div", { class: "sw-muted" }, "…"));
    }
    const head = JSON.stringify([step, gist(step), this.around.verbs()]);
    if (head !== this._mark) {
      this._mark = head;
      this._drawHead(step);
    }
    const state = JSON.stringify([step.state, step.attempt, step.since, step.items, step.children, step.approval]);
    if (state !== this._loaded) {
      this._loaded = state;
      void this._load(step);
    }
  }

  /** @param {import("./link.js").Step} step */
  async _load(step) {
    let found;
    try {
      found = await this.around.ask("step", { step: step.name });
    } catch (error) {
      found = { problem: /** @type {Error} */ (error).message };
    }
    if (step.name !== this.name) return;
    const mark = JSON.stringify(found);
    if (mark === this._drawn) return;
    this._drawn = mark;
    this._drawBody(step, found);
  }

  /** @param {import("./link.js").Step} step */
  _drawHead(step) {
    const verbs = this.around.verbs();
    const open = ["running", "waiting"].includes(step.state);
    const buttons = [
      ["rerun", "Run again", !open],
      ["cancel", "Cancel", open],
      ["fork", "Fork from here", !open],
    ].filter(([verb, , fits]) => verbs.includes(String(verb)) && fits);
    fill(
      this.head,
      h("div", { class: "sw-title" },
        h("span", { class: `sw-chip ${look(step.state)}` }, `${sign(step.state)} ${step.state}`),
        h("strong", {}, isolated(oneLine(step.name, 80))),
        h("button", { type: "button", class: "sw-close sw-plain", "aria-label": "Close details", onclick: () => this.around.close() }, "×")),
      h("div", { class: "sw-muted sw-facts" }, facts(step).join(" · ")),
      buttons.length > 0 && h("div", { class: "sw-buttons" }, buttons.map(([verb, label]) =>
        h("button", { type: "button", class: "sw-button", onclick: () => this.around.act(String(verb), step.name) }, String(label)))),
    );
    this._drawTrouble(step);
  }

  /** @param {import("./link.js").Step} step */
  _drawTrouble(step) {
    const rows = [];
    if (step.error) {
      rows.push(h("div", { class: "sw-problem" }, h("strong", {}, step.error.kind), step.error.message ? ": " : "", isolated(oneLine(step.error.message ?? "", 600))));
      if (step.error.line) rows.push(h("div", { class: "sw-muted" }, `line ${step.error.line} of the cell`, step.error.source ? ": " : "", step.error.source && h("code", {}, oneLine(step.error.source, 200))));
    }
    if (step.blocked.length) rows.push(h("div", {}, `blocked by ${step.blocked.slice(0, 6).join(", ")} · ${step.way_out}`));
    for (const reason of step.stale.slice(0, 5)) rows.push(h("div", { class: "sw-warning" }, isolated(reason)));
    if (step.held) rows.push(h("div", { class: "sw-muted" }, isolated(step.held)));
    if (step.skipped) rows.push(h("div", { class: "sw-muted" }, "because ", isolated(step.skipped)));
    if (step.note) rows.push(h("div", { class: "sw-muted" }, isolated(step.note)));
    if (step.approval) rows.push(h("div", { class: "sw-warning" }, isolated(oneLine(step.approval.question || "asks a person", 300))));
    fill(this.trouble, rows.filter((row) => row !== null));
  }

  /** @param {import("./link.js").Step} step @param {any} found */
  _drawBody(step, found) {
    if (found.problem) {
      fill(this.body, h("div", { class: "sw-problem" }, found.problem));
      return;
    }
    const isFailed = step.state === "failed";
    fill(
      this.body,
      this._section("Outputs", found.outputs, true, (outputs) => outputs.map(output)),
      this._section("Log", found.log, true, (log) => [draw({ kind: "log", entries: log })]),
      this._section("Child runs", step.children, true, (children) => children.map((child) => this.around.child(child.run))),
      this._section("Calls", found.calls, false, calls),
      this._section("Inputs", found.inputs, false, (inputs) => inputs.map(output)),
      this._section("Code", found.code ? [found] : [], isFailed, () => [code(found.code, found.first_line ?? 1, Number(step.error?.line ?? 0)), found.diff && h("div", {}, h("div", { class: "sw-muted" }, "what has changed"), diff(found.diff))]),
      this._section("Attempts", found.attempts, isFailed, attempts),
      this._section("Approvals", found.approvals, false, (all) => all.map(approval)),
      this._section("History", found.history, false, history),
    );
  }

  /**
   * @param {string} title
   * @param {any[] | undefined} content
   * @param {boolean} isOpen
   * @param {(content: any[]) => any[]} make
   */
  _section(title, content, isOpen, make) {
    if (!content?.length) return null;
    const number = ["Code", "Log"].includes(title) ? null : h("span", { class: "sw-count" }, count(content.length));
    const fold = h("details", { class: "sw-section" }, h("summary", {}, title, number));
    const inner = h("div", { class: "sw-section-body" });
    fold.append(inner);
    const fillIn = () => inner.childElementCount || fill(inner, make(content));
    if (this._folds.get(title) ?? isOpen) {
      fold.setAttribute("open", "");
      fillIn();
    }
    fold.addEventListener("toggle", () => {
      this._folds.set(title, fold.hasAttribute("open"));
      fillIn();
    });
    return fold;
  }
}

/** @param {import("./link.js").Step} step */
function facts(step) {
  const said = [oneLine(gist(step), 120)];
  if (step.since) said.push(step.state === "running" ? `since ${clock(step.since)}` : clock(step.since));
  if (step.attempt > 1) said.push(`attempt ${step.attempt}`);
  if (step.cost) said.push(`cost ${cost(step.cost)}`);
  if (step.tokens) said.push(`${count(step.tokens)} tokens`);
  if (step.after.length) said.push(`after ${step.after.slice(0, 5).map((name) => oneLine(name, 40)).join(", ")}`);
  return said.filter(Boolean);
}

/** @param {any} item */
function output(item) {
  return h("div", { class: "sw-item-block" },
    h("div", { class: "sw-item-head" }, h("code", {}, oneLine(item.name, 80)), h("span", { class: "sw-muted" }, about(item), item.from ? ` from ${oneLine(item.from, 40)}` : "")),
    item.value ? draw(item.value) : item.preview ? text(item.preview) : null);
}

/** @param {any[]} items */
function attempts(items) {
  return items.map((item) =>
    h("div", { class: "sw-item-block" },
      h("div", { class: "sw-item-head" },
        h("span", { class: `sw-chip ${look(item.outcome)}` }, `${sign(item.outcome)} ${item.outcome}`),
        h("span", {}, `attempt ${item.attempt}`),
        h("span", { class: "sw-muted" }, [clock(item.started), item.seconds ? duration(item.seconds) : "", item.worker].filter(Boolean).join(" · "))),
      item.error && h("div", { class: "sw-problem" }, isolated(oneLine(item.error, 600))),
      item.traceback && text(item.traceback, { lines: 30 })));
}

/** @param {any[]} items */
function calls(items) {
  return items.map((item) => {
    const usage = [item.seconds ? duration(item.seconds) : "", item.model ?? "", item.tokens ? `${plural(item.tokens, "token")}` : "", item.cost ? `cost ${cost(item.cost)}` : "", item.attempts > 1 ? `attempt ${item.attempts}` : ""];
    const head = h("summary", { class: "sw-item-head" }, h("span", { class: `sw-sign ${look(item.state)}` }, sign(item.state)), h("code", {}, oneLine(item.name, 80)), h("span", { class: "sw-muted" }, oneLine(usage.filter(Boolean).join(" · "), 160)));
    return h("details", { class: "sw-item-block" }, head,
      item.arguments && h("div", {}, h("div", { class: "sw-muted" }, "arguments"), draw(item.arguments)),
      item.result && h("div", {}, h("div", { class: "sw-muted" }, "result"), draw(item.result)),
      item.error && h("div", { class: "sw-problem" }, isolated(oneLine(item.error, 600))));
  });
}

/** @param {any} item */
function approval(item) {
  const who = [item.by ? `by ${item.by}` : "", item.channel, clock(item.decided || item.requested)].filter(Boolean).join(" · ");
  return h("div", { class: "sw-item-block" },
    h("div", { class: "sw-item-head" }, h("strong", {}, oneLine(item.status ?? "pending", 40)), h("span", {}, isolated(oneLine(item.question ?? "", 200))), h("span", { class: "sw-muted" }, oneLine(who, 160))),
    item.note && h("div", {}, isolated(oneLine(item.note, 600))));
}

/** @param {any[]} items */
function history(items) {
  const rows = items.map((item) =>
    h("tr", {},
      h("td", {}, clock(item.when)),
      h("td", {}, h("span", { class: `sw-chip ${look(item.outcome)}` }, item.outcome)),
      h("td", { class: "sw-number" }, item.seconds ? duration(item.seconds) : ""),
      h("td", {}, h("code", {}, oneLine(item.code ?? "", 8)), item.changed ? " changed" : ""),
      h("td", {}, h("code", {}, oneLine(item.run ?? "", 12)))));
  const head = ["when", "", "time", "code", "run"].map((title) => h("th", { scope: "col" }, title));
  return [h("div", { class: "sw-scroll", tabindex: 0, role: "region", "aria-label": "History" }, h("table", { class: "sw-table" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows)))];
}
