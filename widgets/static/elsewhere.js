// @ts-check
// Open questions of the store's other runs: folded, since they are not what one looks at.
import { fill, h } from "./dom.js";
import { plural } from "./format.js";

const ASK_AGAIN = 30_000; // milliseconds between two looks into the store

export class Elsewhere {
  /**
   * @param {import("./link.js").Link} link
   * @param {(facts: any) => import("./approval.js").Approval} make
   */
  constructor(link, make) {
    this.link = link;
    this.make = make;
    /** @type {Map<string, import("./approval.js").Approval>} */
    this.forms = new Map();
    this._asked = 0;
    this.head = h("summary", {});
    this.place = h("div", {});
    this.element = h("details", { class: "sw-elsewhere", hidden: true }, this.head, this.place);
  }

  update() {
    for (const form of this.forms.values()) form.tick();
    if (!this.link.isAlive || this.element.parentElement?.offsetParent === null || Date.now() - this._asked < ASK_AGAIN) return;
    this._asked = Date.now();
    this.link.ask("elsewhere").then((found) => this._take(found.questions), () => {});
  }

  /** @param {any[]} questions */
  _take(questions) {
    const open = new Set(questions.map((facts) => facts.id));
    for (const [id, form] of this.forms) if (!open.has(id)) void form.settle();
    for (const facts of questions) {
      if (this.forms.has(facts.id)) continue;
      const form = this.make(facts);
      this.forms.set(facts.id, form);
      this.place.append(form.element);
    }
    this.element.hidden = this.forms.size === 0;
    fill(this.head, questions.length ? `${plural(questions.length, "open question")} in other runs of this store` : "no more open questions in other runs of this store");
  }
}
