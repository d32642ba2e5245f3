// @ts-check
// A child run in place: folded at first, then followed for as long as somebody looks.
import { fill, h, isolated, oneLine } from "./dom.js";
import { look, sign } from "./format.js";
import { RunState } from "./link.js";

const FOLLOW = 1000;

/** @typedef {{ element: HTMLElement, update: () => void }} ChildPane */

export class ChildRun {
  /**
   * @param {import("./link.js").Link} link
   * @param {any} facts of the child, as its step tells them
   * @param {(state: RunState) => ChildPane} make
   */
  constructor(link, facts, make) {
    this.link = link;
    this.facts = facts;
    this.make = make;
    this.state = new RunState();
    this.mark = "";
    this._asked = 0;
    this.head = h("summary", {});
    this.place = h("div", { class: "sw-muted" }, "…");
    this.element = h("details", { class: "sw-section sw-child-box" }, this.head, this.place);
    this.element.addEventListener("toggle", () => this.follow());
    this.update(facts);
  }

  /** @param {any} facts */
  update(facts) {
    const isNews = facts.status !== this.facts.status;
    this.facts = facts;
    const word = { completed: "done" }[/** @type {string} */ (facts.status)] ?? facts.status ?? "running";
    const shown = JSON.stringify([word, facts.run, facts.agent]);
    if (shown !== this._shown) {
      this._shown = shown;
      fill(this.head, h("span", { class: `sw-sign ${look(word)}`, "aria-hidden": "true" }, sign(word)), " ", isolated(oneLine(facts.agent || "run", 60)), " ", h("code", {}, facts.run), h("span", { class: "sw-muted" }, ` ${word}`));
    }
    if (isNews) this._asked = 0;
    this.follow();
  }

  get isOpen() {
    return this.element.hasAttribute("open");
  }

  /** Ask how it stands now, unless that is known. */
  async follow() {
    const isOver = this.pane && this.facts.status !== "running" && this._asked > 0;
    if (!this.isOpen || isOver || Date.now() - this._asked < FOLLOW) {
      if (this.isOpen) this.pane?.update();
      return;
    }
    this._asked = Date.now();
    try {
      const found = await this.link.ask("child", { run: this.facts.run, mark: this.mark });
      if (found.mark !== this.mark) this._take(found);
    } catch (error) {
      if (!this.pane) fill(this.place, /** @type {Error} */ (error).message);
    }
    this.pane?.update();
  }

  /** @param {any} found */
  _take(found) {
    this.mark = found.mark;
    this.state.take({ ...found, kind: "snapshot", number: 0 });
    if (this.pane) return;
    this.pane = this.make(this.state);
    this.element.replaceChild(this.pane.element, this.place);
  }
}
