// @ts-check
// All items of a mapped step, however many: found by key and state, one of them close by.
import { fill, h, isolated, oneLine } from "./dom.js";
import { clock, count, duration, elapsed, look, now, sign } from "./format.js";
import { LongList } from "./list.js";
import { Pages } from "./pages.js";

const ITEM_ROW = 24;
const STATES = ["all", "running", "waiting", "failed", "done", "needs a person"];

export class ItemList {
  /**
   * @param {string} step
   * @param {(kind: string, what: any) => Promise<any>} ask
   * @param {(item: import("./pages.js").Item, found: any) => any[]} draw what an item holds
   */
  constructor(step, ask, draw) {
    this.step = step;
    this.ask = ask;
    this.draw = draw;
    this.chosen = "";
    this.pages = new Pages((what) => ask("items", { ...what, step }), () => this._drawn(), (problem) => fill(this.found, problem));
    this.list = new LongList(ITEM_ROW, (index) => this._row(index), { label: `Items of ${oneLine(step, 60)}`, className: "sw-items" });
    this.search = /** @type {HTMLInputElement} */ (h("input", { type: "search", class: "sw-search", placeholder: "Find an item", "aria-label": "Find an item" }));
    this.states = /** @type {HTMLSelectElement} */ (h("select", { class: "sw-filter", "aria-label": "Show only items" }, STATES.map((word) => h("option", { value: word }, word))));
    const narrow = () => this.pages.narrow(this.search.value, this.states.value === "all" ? "" : this.states.value);
    this.search.addEventListener("input", narrow);
    this.states.addEventListener("change", narrow);
    this.found = h("span", { class: "sw-muted", role: "status" });
    this.close = h("div", { class: "sw-item-close", hidden: true });
    this.element = h("div", { class: "sw-item-list" }, h("div", { class: "sw-item-find" }, this.search, this.states, this.found), this.list.element, this.close);
    this.pages.refresh(0, 1);
  }

  /** Those in sight may have changed. */
  update() {
    const [first, last] = this.list.sight;
    this.pages.refresh(first, last);
  }

  _drawn() {
    fill(this.found, `${count(this.pages.total)} found`);
    this.list.update(this.pages.total);
    this.list.element.style.height = `${Math.min(10, Math.max(1, this.pages.total)) * ITEM_ROW + 2}px`;
  }

  /** @param {number} index */
  _row(index) {
    const item = this.pages.get(index);
    if (!item) return h("div", { role: "listitem", class: "sw-muted" }, "…");
    const isChosen = item.key === this.chosen;
    const passed = item.state === "running" && item.start ? elapsed((now() - item.start) / 1e6) : "";
    const took = item.seconds ? duration(item.seconds) : passed;
    return h("div", { role: "listitem" },
      h("button", { type: "button", class: `sw-item-row ${look(item.state)} ${isChosen ? "sw-chosen" : ""}`, "aria-pressed": String(isChosen), "aria-label": `${oneLine(item.key, 60)}: ${item.state}`, onclick: () => this._choose(item) },
        h("span", { class: "sw-sign", "aria-hidden": "true" }, sign(item.state)),
        h("span", { class: "sw-item-key" }, isolated(oneLine(item.key, 60))),
        h("span", { class: "sw-item-said sw-muted" }, isolated(oneLine(item.said, 120))),
        h("span", { class: "sw-muted" }, took)));
  }

  /** @param {import("./pages.js").Item} item */
  async _choose(item) {
    this.chosen = item.key === this.chosen ? "" : item.key;
    this.list.update(this.pages.total);
    this.close.hidden = !this.chosen;
    if (!this.chosen) return;
    const when = [item.state, item.start ? `from ${clock(item.start)}` : "", item.attempt > 1 ? `attempt ${item.attempt}` : ""].filter(Boolean).join(" · ");
    const head = h("div", { class: "sw-item-head" }, h("code", {}, oneLine(item.key, 120)), h("span", { class: "sw-muted" }, when));
    fill(this.close, head, h("div", { class: "sw-muted" }, "…"));
    let parts;
    try {
      parts = this.draw(item, await this.ask("step", { step: this.step, item: item.key }));
    } catch (error) {
      parts = [h("div", { class: "sw-problem" }, /** @type {Error} */ (error).message)];
    }
    if (item.key === this.chosen) fill(this.close, head, parts);
  }
}
