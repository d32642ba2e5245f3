// @ts-check
// When what ran: a row to a step, a bar to an attempt, hatched where it waited.
import { fill, h, oneLine } from "./dom.js";
import { clock, count, duration, elapsed, gist, look, now, sign } from "./format.js";
import { LongList } from "./list.js";
import { Scale } from "./scale.js";

const BAR_ROW = 26;

/**
 * @typedef {{ step: import("./link.js").Step, item?: any }} Row
 */

export class Timeline {
  /** @param {{ select: (name: string) => void, items: (name: string) => Promise<any> }} act */
  constructor(act) {
    this.act = act;
    /** @type {Row[]} */
    this.rows = [];
    /** @type {Map<string, any[]>} */
    this.open = new Map();
    this.scale = new Scale([]);
    this.axis = h("div", { class: "sw-axis", "aria-hidden": "true" });
    this.list = new LongList(BAR_ROW, (index) => this._row(this.rows[index]), { label: "Timeline", className: "sw-timeline-rows" });
    this.element = h("div", { class: "sw-timeline" }, h("div", { class: "sw-axis-row" }, h("div", { class: "sw-label" }), this.axis), this.list.element);
  }

  /**
   * @param {import("./link.js").RunState} state
   * @param {import("./link.js").Step[]} steps those that match the search
   * @param {string} selected
   */
  update(state, steps, selected) {
    this.state = state;
    this.selected = selected;
    this.now = now();
    this.rows = steps.flatMap((step) => [
      { step },
      ...(this.open.get(step.name) ?? []).map((item) => ({ step, item })),
    ]);
    this.scale = new Scale(this._busy(steps));
    this._drawAxis();
    this.list.update(this.rows.length);
  }

  /** @param {import("./link.js").Step[]} steps @returns {[number, number][]} */
  _busy(steps) {
    return steps.flatMap((step) =>
      (this.state?.attempts(step.name) ?? []).map((span) => /** @type {[number, number]} */ ([span[2], span[3] || this.now || 0])),
    );
  }

  _drawAxis() {
    const origin = this.scale.parts[0]?.start ?? 0;
    fill(
      this.axis,
      this.scale.ticks(6).map((tick) =>
        h("span", { class: "sw-tick", style: place(tick.at), title: clock(origin + tick.seconds * 1e6) }, h("span", {}, tick.seconds ? duration(tick.seconds) : "0")),
      ),
      this.scale.pauses.map((pause) =>
        h("span", { class: "sw-pause", style: placed(pause.from, pause.to), title: `${elapsed((pause.end - pause.start) / 1e6)} in which nothing ran` }),
      ),
    );
  }

  /** @param {Row} row */
  _row(row) {
    if (row.item) return this._itemRow(row);
    const { step } = row;
    const name = oneLine(step.name, 60);
    const label = h(
      "button",
      { type: "button", class: "sw-label sw-plain", onclick: () => this.act.select(step.name), title: name, "aria-label": `${name}: ${step.state}, ${oneLine(gist(step), 60)}` },
      h("span", { class: "sw-sign" }, sign(step.state)),
      h("bdi", {}, name),
    );
    const isChosen = step.name === this.selected;
    return h(
      "div",
      { role: "listitem", class: `sw-row ${look(step.state)} ${isChosen ? "sw-chosen" : ""}` },
      step.items?.total ? this._twist(step) : null,
      label,
      h("div", { class: "sw-track" }, this._bars(step)),
    );
  }

  /** @param {import("./link.js").Step} step */
  _twist(step) {
    const isOpen = this.open.has(step.name);
    const toggle = async () => {
      if (isOpen) this.open.delete(step.name);
      else this.open.set(step.name, (await this.act.items(step.name)) ?? []);
      if (this.state) this.update(this.state, [...new Set(this.rows.map((row) => row.step))], this.selected ?? "");
    };
    const label = `Items of ${oneLine(step.name, 60)}`;
    return h("button", { type: "button", class: "sw-twist sw-plain", "aria-expanded": String(isOpen), "aria-label": label, onclick: toggle }, isOpen ? "▾" : "▸");
  }

  /** @param {import("./link.js").Step} step */
  _bars(step) {
    const attempts = this.state?.attempts(step.name) ?? [];
    const parts = [];
    attempts.forEach((span, at) => {
      const before = attempts[at - 1];
      const isRetry = before && before[4] === "failed" && before[3];
      if (isRetry) parts.push(this._bar(before[3], span[2], "sw-wait", `waited ${duration((span[2] - before[3]) / 1e6)} before attempt ${span[1]}`));
      parts.push(this._attempt(step, span));
    });
    const last = attempts[attempts.length - 1];
    if (step.retry_at && last?.[3]) parts.push(this._bar(last[3], this.now ?? 0, "sw-wait", "waits before it is tried again"));
    if (step.approval?.requested) {
      const until = step.approval.decided || this.now || 0;
      parts.push(this._bar(step.approval.requested, until, "sw-asks", `asked for ${elapsed((until - step.approval.requested) / 1e6)}`));
    }
    return parts;
  }

  /** @param {import("./link.js").Step} step @param {import("./link.js").Span} span */
  _attempt(step, span) {
    const [, attempt, start, end, outcome] = span;
    const until = end || this.now || 0;
    const took = `attempt ${attempt}: ${outcome}, ${duration((until - start) / 1e6)}, from ${clock(start)}`;
    const bar = this._bar(start, until, `sw-bar ${look(outcome)}`, took);
    const isLast = attempt === step.attempt;
    if (isLast && step.items?.total) {
      const failed = step.items.failed ? `, ${count(step.items.failed)} failed` : "";
      bar.append(h("span", { class: "sw-bar-text" }, `${count(step.items.done ?? 0)} of ${count(step.items.total)}${failed}`));
    }
    return bar;
  }

  /** @param {Row} row */
  _itemRow({ item }) {
    const label = oneLine(item.key ?? "", 60);
    return h(
      "div",
      { role: "listitem", class: `sw-row sw-item ${look(item.state)}` },
      h("div", { class: "sw-label" }, h("span", { class: "sw-sign" }, sign(item.state)), h("bdi", {}, label)),
      h("div", { class: "sw-track" }, item.start ? this._bar(item.start, item.end || this.now || 0, `sw-bar ${look(item.state)}`, `${label}: ${item.state}`) : null),
    );
  }

  /** @param {number} start @param {number} end @param {string} kind @param {string} title */
  _bar(start, end, kind, title) {
    return h("span", { class: kind, style: placed(this.scale.at(start), this.scale.at(end)), title });
  }
}

/** @param {number} share */
function place(share) {
  return `left:${(100 * share).toFixed(3)}%`;
}

/** @param {number} from @param {number} to */
function placed(from, to) {
  return `${place(from)};width:max(3px, ${(100 * Math.max(0, to - from)).toFixed(3)}%)`;
}
