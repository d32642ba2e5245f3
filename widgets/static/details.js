// @ts-check
// One step from close by: what it made, said, read, called, and how each attempt ended.
import { fill, h, isolated, oneLine } from "./dom.js";
import { clock, cost, count, duration, gist, look, plural, sign } from "./format.js";
import { ItemList } from "./items.js";
import { about, code, diff, draw, ending, text } from "./value.js";

const FOLLOW_LOG = 1000; // milliseconds between two looks at what a running step says

/**
 * @typedef {{ ask: (kind: string, what?: any) => Promise<any>,
 *   act: (verb: string, step: string) => void, verbs: () => string[],
 *   child: (facts: any) => import("./child.js").ChildRun,
 *   close: () => void }} Surroundings
 */

export class Details {
  /** @param {Surroundings} around */
  constructor(around) {
    this.around = around;
    this.head = h("div", { class: "sw-details-head" });
    this.trouble = h("div", { class: "sw-details-trouble" });
    // What changes while it runs has places of its own, so that the rest keeps the keyboard.
    this.live = h("div", { class: "sw-live" });
    this.children = h("div", { class: "sw-children" });
    this.items = h("div", { class: "sw-section-items" });
    this.body = h("div", { class: "sw-details-body" });
    this.element = h("section", { class: "sw-details", "aria-label": "Details", tabindex: -1 }, this.head, this.trouble, this.live, this.children, this.items, this.body);
    this.name = "";
    this._mark = "";
    this._loaded = "";
    this._drawn = "";
    /** @type {Map<string, boolean>} which sections somebody has opened or closed */
    this._folds = new Map();
    /** @type {Map<string, import("./child.js").ChildRun>} by run */
    this._children = new Map();
    this._log = [];
    this._logged = 0;
  }

  /** @param {import("./link.js").Step | undefined} step */
  update(step) {
    this.element.hidden = !step;
    if (!step) {
      this.name = "";
      return;
    }
    if (step.name !== this.name) this._begin(step);
    const head = JSON.stringify([step, gist(step), this.around.verbs()]);
    if (head !== this._mark) {
      this._mark = head;
      this._drawHead(step);
    }
    // How many items are done changes all the time, and is told without loading anything.
    const ended = step.state === "running" ? 0 : step.items;
    const state = JSON.stringify([step.state, step.attempt, step.since, ended, step.approval]);
    if (state !== this._loaded) {
      this._loaded = state;
      void this._load(step);
    }
    this._follow(step);
  }

  /** Another step than before. @param {import("./link.js").Step} step */
  _begin(step) {
    this.name = step.name;
    this._mark = this._loaded = this._drawn = this._said = "";
    this._log = [];
    this._logged = 0;
    this._children.clear();
    this._list = undefined;
    fill(this.live);
    fill(this.children);
    fill(this.items);
    fill(this.body, h("div", { class: "sw-muted" }, "…"));
  }

  /** What goes on while somebody looks: pieces, log, child runs, items. @param {import("./link.js").Step} step */
  _follow(step) {
    const isSeen = this.element.offsetParent !== null;
    if (step.state !== "running") this._log = [];
    else if (isSeen && Date.now() - this._logged > FOLLOW_LOG) void this._hear(step);
    this._drawLive(step);
    this._drawChildren(step.children);
    if (step.items?.total && !this._list) this._list = this._openItems(step);
    if (isSeen) this._list?.update();
  }

  /** @param {import("./link.js").Step} step */
  async _hear(step) {
    this._logged = Date.now();
    try {
      const found = await this.around.ask("now", { step: step.name });
      if (step.name === this.name) this._log = found.log;
    } catch {
      // What was heard before stands.
    }
  }

  /** @param {import("./link.js").Step} step */
  _drawLive(step) {
    const streams = step.state === "running" ? step.streams : [];
    const said = JSON.stringify([streams, step.more_streams, this._log]);
    if (said === this._said) return;
    this._said = said;
    const blocks = streams.map((stream) => ({ title: streamTitle(stream), parts: [{ name: "prose", text: `${stream.is_cut ? "…" : ""}${stream.text}` }] }));
    if (this._log.length) blocks.push({ title: "Log, as it is written", parts: this._log });
    if (step.more_streams && streams.length) blocks.push({ title: `and ${plural(step.more_streams, "more stream")}`, parts: [] });
    keep(this.live, blocks);
  }

  /** @param {any[]} children */
  _drawChildren(children) {
    const isNew = children.filter((facts) => !this._children.has(facts.run));
    for (const facts of isNew) this._children.set(facts.run, this.around.child(facts));
    for (const facts of children) this._children.get(facts.run)?.update(facts);
    if (!isNew.length) return;
    if (!this.children.childElementCount) fill(this.children, h("div", { class: "sw-section-title" }, "Child runs"));
    this.children.append(...isNew.map((facts) => /** @type {any} */ (this._children.get(facts.run)).element));
  }

  /** @param {import("./link.js").Step} step */
  _openItems(step) {
    const list = new ItemList(step.name, (kind, what) => this.around.ask(kind, what), (_, found) => [
      ...found.outputs.map(output),
      found.log.length > 0 && draw({ kind: "log", entries: found.log }),
      found.calls.length > 0 && calls(found.calls),
      attempts(found.attempts),
    ].flat());
    fill(this.items, h("div", { class: "sw-section-title" }, "Items"), list.element);
    return list;
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

/** @param {import("./link.js").Stream} stream */
function streamTitle(stream) {
  const where = [stream.step, stream.item, stream.name].filter(Boolean).map((part) => oneLine(part, 60));
  return [...where, `${plural(stream.pieces, "piece")}${stream.is_over ? " in all" : ""}`].join(" · ");
}

/**
 * Blocks of text that grow: kept where they are, so that what is scrolled or marked stays so.
 * @param {HTMLElement} place
 * @param {{ title: string, parts: any[] }[]} blocks
 */
function keep(place, blocks) {
  while (place.childElementCount > blocks.length) place.lastElementChild?.remove();
  blocks.forEach(({ title, parts }, at) => {
    let block = /** @type {HTMLElement | undefined} */ (place.children[at]);
    if (!block) {
      block = h("div", { class: "sw-live-block" }, h("div", { class: "sw-live-title" }), h("div", { class: "sw-live-text", tabindex: 0, role: "log", "aria-live": "off" }));
      place.append(block);
    }
    fill(/** @type {Element} */ (block.firstElementChild), isolated(title));
    ending(/** @type {HTMLElement} */ (block.lastElementChild), parts);
  });
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
      item.traceback && text(item.traceback, { lines: 30, kind: "sw-trace" })));
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
