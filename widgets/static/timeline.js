// @ts-check
// When what ran: a row to a step, a bar to an attempt, patterns where it waited.
import { BAR_KINDS, barText, barsOf, isWait } from "./bars.js";
import { fill, h, isolated, oneLine } from "./dom.js";
import { clock, count, duration, elapsed, gist, look, now, plural, sign } from "./format.js";
import { LongList } from "./list.js";
import { Pages } from "./pages.js";
import { Scale } from "./scale.js";

const BAR_ROW = 26;
const MOST_TOLD = 1000;
const ROOM = 0.06; // of the line, for a time that is written on it

/**
 * @typedef {{ step: import("./link.js").Step, item?: number }} Row an item by its number
 */

export class Timeline {
  /** @param {{ select: (name: string) => void, items: (name: string, what: any) => Promise<any>, say: (problem: string) => void }} act */
  constructor(act) {
    this.act = act;
    /** @type {Row[]} */
    this.rows = [];
    /** @type {Map<string, Pages>} */
    this.open = new Map();
    /** @type {Map<string, import("./bars.js").Bar[]>} */
    this.bars = new Map();
    this.isTable = false;
    this.scale = new Scale([]);
    this.axis = h("div", { class: "sw-axis", "aria-hidden": "true" });
    this.list = new LongList(BAR_ROW, (index) => this._row(this.rows[index]), { label: "Timeline", className: "sw-timeline-rows" });
    this.chart = h("div", { class: "sw-chart" }, h("div", { class: "sw-axis-row" }, h("div", { class: "sw-label" }), this.axis), this.list.element);
    this.table = h("div", { class: "sw-timeline-table", hidden: true });
    this.kinds = h("ul", { class: "sw-legend", "aria-label": "Legend" });
    this.toggle = h("button", { type: "button", class: "sw-link", "aria-pressed": "false", onclick: () => this._switch() }, "as a table");
    this.element = h("div", { class: "sw-timeline" }, this.chart, this.table, h("div", { class: "sw-legend-row" }, this.kinds, this.toggle));
  }

  /**
   * @param {import("./link.js").RunState} state
   * @param {import("./link.js").Step[]} steps those that match the search
   * @param {string} selected
   */
  update(state, steps, selected) {
    this.state = state;
    this.steps = steps;
    this.selected = selected;
    this.now = now();
    this.rows = steps.flatMap((step) => rowsOf(step, this.open.get(step.name)));
    this.bars = new Map(steps.map((step) => [step.name, barsOf(state, step, this.now ?? 0)]));
    const all = [...this.bars.values()].flat();
    this._drawLegend(new Set(all.map((bar) => bar.kind)));
    if (this.isTable) {
      this._drawTable(steps);
      return;
    }
    this.scale = new Scale(all.map((bar) => [bar.start, bar.end]));
    this._drawAxis();
    this.list.update(this.rows.length);
    this._refresh();
  }

  /** Items in sight follow what happens. */
  _refresh() {
    const [first, last] = this.list.sight;
    /** @type {Map<string, number[]>} */
    const seen = new Map();
    for (const { step, item } of this.rows.slice(first, last)) if (item !== undefined) seen.set(step.name, [...(seen.get(step.name) ?? []), item]);
    for (const [name, numbers] of seen) this.open.get(name)?.refresh(numbers[0], numbers[numbers.length - 1] + 1);
  }

  _switch() {
    this.isTable = !this.isTable;
    this.chart.hidden = this.isTable;
    this.table.hidden = !this.isTable;
    this.toggle.setAttribute("aria-pressed", String(this.isTable));
    fill(this.toggle, this.isTable ? "as bars" : "as a table");
    this._again();
  }

  _again() {
    if (this.state) this.update(this.state, this.steps ?? [], this.selected ?? "");
  }

  _drawAxis() {
    const origin = this.scale.parts[0]?.start ?? 0;
    const isFree = (/** @type {{ at: number }} */ tick) => !this.scale.pauses.some((pause) => tick.at > pause.from - ROOM && tick.at < pause.to);
    fill(
      this.axis,
      this.scale.ticks(6).filter(isFree).map((tick) =>
        h("span", { class: "sw-tick", style: place(tick.at), title: clock(origin + tick.seconds * 1e6) }, h("span", {}, tick.seconds ? duration(tick.seconds) : "0")),
      ),
      this.scale.pauses.map((pause) =>
        h("span", { class: "sw-pause", style: placed(pause.from, pause.to), title: `${elapsed((pause.end - pause.start) / 1e6)} in which nothing ran` }),
      ),
    );
  }

  /** Only what is to be seen. @param {Set<string>} kinds */
  _drawLegend(kinds) {
    const shown = Object.keys(BAR_KINDS).filter((kind) => kinds.has(kind));
    const mark = shown.join();
    if (mark === this._legend) return;
    this._legend = mark;
    fill(this.kinds, shown.map((kind) => h("li", {}, h("span", { class: `sw-swatch ${barClass(kind)}`, "aria-hidden": "true" }), BAR_KINDS[/** @type {keyof typeof BAR_KINDS} */ (kind)])));
    this.toggle.hidden = !shown.length;
  }

  /** @param {Row} row */
  _row(row) {
    if (row.item !== undefined) return this._itemRow(row.step, row.item);
    const { step } = row;
    const name = oneLine(step.name, 60);
    const bars = this.bars.get(step.name) ?? [];
    const label = h(
      "button",
      { type: "button", class: "sw-label sw-plain", onclick: () => this.act.select(step.name), title: name, "aria-label": `${name}: ${step.state}, ${oneLine(gist(step), 60)}${spoken(bars)}` },
      h("span", { class: "sw-sign" }, sign(step.state)),
      h("bdi", {}, name),
    );
    const isChosen = step.name === this.selected;
    return h(
      "div",
      { role: "listitem", class: `sw-row ${look(step.state)} ${isChosen ? "sw-chosen" : ""}` },
      step.items?.total ? this._twist(step) : null,
      label,
      h("div", { class: "sw-track" }, bars.map((bar) => this._bar(bar, step))),
      h("div", { class: "sw-took sw-muted", title: oneLine(gist(step), 200) }, isolated(oneLine(gist(step), 40))),
    );
  }

  /** @param {import("./link.js").Step} step */
  _twist(step) {
    const isOpen = this.open.has(step.name);
    const toggle = () => {
      if (isOpen) this.open.delete(step.name);
      else {
        const pages = new Pages((what) => this.act.items(step.name, what), () => this._again(), this.act.say);
        this.open.set(step.name, pages);
        pages.refresh(0, 1);
      }
      this._again();
    };
    const label = `Items of ${oneLine(step.name, 60)}`;
    return h("button", { type: "button", class: "sw-twist sw-plain", "aria-expanded": String(isOpen), "aria-label": label, onclick: toggle }, isOpen ? "▾" : "▸");
  }

  /** @param {import("./bars.js").Bar} bar @param {import("./link.js").Step} step */
  _bar(bar, step) {
    const drawn = this._piece(bar);
    const isWhole = !isWait(bar.kind) && bar.attempt === step.attempt && step.items?.total;
    if (isWhole) {
      const failed = step.items.failed ? `, ${count(step.items.failed)} failed` : "";
      drawn.append(h("span", { class: "sw-bar-text" }, `${count(step.items.done ?? 0)} of ${count(step.items.total)}${failed}`));
    }
    return drawn;
  }

  /** @param {import("./link.js").Step} step @param {number} number */
  _itemRow(step, number) {
    const item = this.open.get(step.name)?.get(number);
    if (!item) return h("div", { role: "listitem", class: "sw-row sw-item" }, h("div", { class: "sw-label" }, "…"));
    const label = oneLine(item.key, 60);
    const until = item.end || this.now || 0;
    const took = item.start ? duration((until - item.start) / 1e6) : "";
    const bar = { kind: item.state, start: item.start, end: until, what: label, said: [item.state, took, oneLine(item.said, 120)].filter(Boolean).join(", "), attempt: 0 };
    return h(
      "div",
      { role: "listitem", class: `sw-row sw-item ${look(item.state)}` },
      h("div", { class: "sw-label", title: label }, h("span", { class: "sw-sign" }, sign(item.state)), h("bdi", {}, label)),
      h("div", { class: "sw-track" }, item.start ? this._piece(bar) : null),
      h("div", { class: "sw-took sw-muted" }, took),
    );
  }

  /** @param {import("./bars.js").Bar} bar */
  _piece(bar) {
    const style = bar.kind === "restored" ? place(this.scale.at(bar.start)) : placed(this.scale.at(bar.start), this.scale.at(bar.end));
    return h("span", { class: barClass(bar.kind), style, title: oneLine(barText(bar), 300) });
  }

  /** The same in words, the earliest first. @param {import("./link.js").Step[]} steps */
  _drawTable(steps) {
    const rows = steps
      .flatMap((step) => (this.bars.get(step.name) ?? []).map((bar) => ({ step, bar })))
      .sort((a, b) => a.bar.start - b.bar.start);
    const mark = JSON.stringify(rows.slice(0, MOST_TOLD));
    if (mark === this._shown) return; // untouched, so that it keeps its place
    this._shown = mark;
    const head = ["from", "step", "what", "how long, and about what"].map((title) => h("th", { scope: "col" }, title));
    const body = rows.slice(0, MOST_TOLD).map(({ step, bar }) => h("tr", {},
      h("td", {}, clock(bar.start)),
      h("td", {}, isolated(oneLine(step.name, 60))),
      h("td", {}, h("span", { class: `sw-swatch ${barClass(bar.kind)}`, "aria-hidden": "true" }), bar.what),
      h("td", {}, isolated(oneLine(bar.said, 200)))));
    const left = rows.length - body.length;
    fill(this.table, h("table", { class: "sw-table", "aria-label": "Timeline as a table" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)), left > 0 && h("div", { class: "sw-muted" }, `and ${plural(left, "more row")}: narrow them down by name`));
  }
}

/** @param {import("./link.js").Step} step @param {Pages | undefined} pages @returns {Row[]} */
function rowsOf(step, pages) {
  return [{ step }, ...Array.from({ length: pages?.total ?? 0 }, (_, item) => ({ step, item }))];
}

/** What the bars say beyond the state, for those who do not see them. @param {import("./bars.js").Bar[]} bars */
function spoken(bars) {
  const waits = bars.filter((bar) => isWait(bar.kind)).slice(-3);
  return waits.map((bar) => `; ${oneLine(`${bar.what} ${bar.said}`, 80)}`).join("");
}

/** @param {string} kind */
function barClass(kind) {
  if (kind === "restored") return "sw-mark sw-is-restored";
  return isWait(kind) ? `sw-wait sw-wait-${kind}` : `sw-bar ${look(kind)}`;
}

/** @param {number} share */
function place(share) {
  return `left:${(100 * share).toFixed(3)}%`;
}

/** @param {number} from @param {number} to */
function placed(from, to) {
  return `${place(from)};width:max(3px, ${(100 * Math.max(0, to - from)).toFixed(3)}%)`;
}
