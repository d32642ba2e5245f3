// @ts-check
// The flow as a graph, its steps as buttons.
import { dress, fill, h, oneLine, s } from "./dom.js";
import { count, gist, look, plural, share, sign } from "./format.js";
import { NODE, folded, layout } from "./layout.js";

const MOST_NODES = 80;
const MARGIN = 12;
const ORDER = ["failed", "needs a person", "running", "stale", "waiting", "cancelled", "not run", "skipped", "done", "restored"];

export class Graph {
  /**
   * @param {{ select: (name: string) => void, list: (names: string[]) => void }} act
   */
  constructor(act) {
    this.act = act;
    this.lines = s("svg", { class: "sw-edges", "aria-hidden": "true" });
    this.nodes = h("div", { class: "sw-nodes", role: "list" });
    this.canvas = h("div", { class: "sw-canvas" }, this.lines, this.nodes);
    this.note = h("div", { class: "sw-note" });
    this.element = h("div", { class: "sw-graph", role: "group", "aria-label": "Flow" }, this.canvas, this.note);
    /** @type {Map<string, HTMLElement>} */
    this.buttons = new Map();
    this._shape = "";
    /** @type {import("./layout.js").Item[]} */
    this._items = [];
  }

  /**
   * @param {import("./link.js").RunState} state
   * @param {string} selected
   */
  update(state, selected) {
    const steps = [...state.steps.values()];
    const shape = JSON.stringify(steps.map((step) => [step.name, step.after]));
    if (shape !== this._shape) {
      this._shape = shape;
      this._arrange(steps);
    }
    for (const item of this._items) this._dress(item, state, selected);
  }

  /** Bring a step into sight, sideways and up and down, without moving the page. @param {string} name */
  reveal(name) {
    const button = this.buttons.get(name);
    const box = this.element;
    if (!button || !box.clientWidth) return;
    const left = button.offsetLeft - MARGIN;
    const top = button.offsetTop - MARGIN;
    box.scrollLeft = Math.min(left, Math.max(box.scrollLeft, left + NODE.width + 2 * MARGIN - box.clientWidth));
    box.scrollTop = Math.min(top, Math.max(box.scrollTop, top + NODE.height + 2 * MARGIN - box.clientHeight));
  }

  /** @param {import("./link.js").Step[]} steps */
  _arrange(steps) {
    const known = new Set(steps.map((step) => step.name));
    const items = steps.map((step) => ({ id: step.name, after: step.after.filter((other) => known.has(other)) }));
    this._items = folded(items, MOST_NODES);
    this.buttons.clear();
    const isTooMuch = this._items.length > 4 * MOST_NODES;
    fill(this.note, isTooMuch && `${plural(steps.length, "step")} are too many to be drawn: see Steps.`);
    if (isTooMuch) this._items = [];
    if (!this._items.length) {
      fill(this.nodes);
      fill(this.lines);
      dress(this.canvas, { style: "height:0" });
      return;
    }
    this._draw(layout(this._items));
  }

  /** @param {ReturnType<typeof layout>} plan */
  _draw(plan) {
    const width = plan.width + 2 * MARGIN;
    const height = plan.height + 2 * MARGIN;
    dress(this.canvas, { style: `width:${width}px;height:${height}px` });
    dress(this.lines, { width, height, viewBox: `${-MARGIN} ${-MARGIN} ${width} ${height}` });
    fill(this.lines, plan.edges.map((edge) => s("path", { d: curve(edge.points), "data-to": edge.to, "data-from": edge.from })));
    // In the order of reading, which is the order of the Tab key.
    const order = [...this._items].sort((a, b) => placeOf(plan, a).x - placeOf(plan, b).x || placeOf(plan, a).y - placeOf(plan, b).y);
    fill(this.nodes, order.map((item) => this._node(item, placeOf(plan, item))));
  }

  /** @param {import("./layout.js").Item} item @param {import("./layout.js").Place} at */
  _node(item, at) {
    const click = () => (isFold(item) ? this.act.list(item.members ?? []) : this.act.select(item.id));
    const left = at.x + MARGIN;
    const top = at.y + MARGIN - NODE.height / 2;
    const button = h("button", {
      type: "button",
      style: `left:${left}px;top:${top}px;width:${NODE.width}px;height:${NODE.height}px`,
      onclick: click,
    });
    this.buttons.set(item.id, button);
    return h("div", { role: "listitem" }, button);
  }

  /**
   * @param {import("./layout.js").Item} item
   * @param {import("./link.js").RunState} state
   * @param {string} selected
   */
  _dress(item, state, selected) {
    const button = this.buttons.get(item.id);
    const step = state.steps.get(item.id);
    if (!button || !step) return;
    const shown = isFold(item) ? summed(item.members ?? [], state) : shownOf(step);
    const mark = JSON.stringify([shown, item.id === selected]);
    if (button.dataset.mark === mark) return; // untouched, so that it keeps the keyboard
    button.dataset.mark = mark;
    const folds = isFold(item) ? "sw-fold" : "";
    button.className = `sw-node ${look(shown.state)} ${folds} ${item.id === selected ? "sw-chosen" : ""}`;
    dress(button, {
      "aria-pressed": isFold(item) ? null : item.id === selected ? "true" : "false",
      "aria-label": `${shown.name}: ${shown.state}${shown.gist ? `, ${shown.gist}` : ""}`,
      title: `${shown.name}: ${shown.state}`,
    });
    fill(
      button,
      h("span", { class: "sw-node-name" }, h("span", { class: "sw-sign" }, sign(shown.state)), h("bdi", {}, shown.name)),
      h("span", { class: "sw-node-gist" }, h("bdi", {}, shown.gist || shown.state)),
      shown.share !== null && bar(shown.share),
    );
    for (const line of this.lines.querySelectorAll("path")) {
      if (line.getAttribute("data-to") === item.id) line.setAttribute("class", look(shown.state));
    }
  }
}

/** @param {number} value */
function bar(value) {
  return h("span", { class: "sw-share", "aria-hidden": "true" }, h("span", { style: `width:${(100 * value).toFixed(1)}%` }));
}

/** @param {ReturnType<typeof layout>} plan @param {import("./layout.js").Item} item */
function placeOf(plan, item) {
  return /** @type {import("./layout.js").Place} */ (plan.places.get(item.id));
}

/** @param {import("./layout.js").Item} item */
function isFold(item) {
  return (item.members?.length ?? 1) > 1;
}

/** @param {import("./link.js").Step} step */
function shownOf(step) {
  const isOpen = ["running", "waiting", "failed"].includes(step.state);
  return { name: oneLine(step.name, 60), state: step.state, gist: oneLine(gist(step), 60), share: isOpen ? share(step) : null };
}

/** Many steps as one. @param {string[]} names @param {import("./link.js").RunState} state */
function summed(names, state) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const name of names) {
    const word = state.steps.get(name)?.state ?? "not run";
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const worst = ORDER.find((word) => counts.has(word)) ?? "done";
  const done = (counts.get("done") ?? 0) + (counts.get("restored") ?? 0);
  const said = ORDER.filter((word) => counts.has(word)).slice(0, 2);
  return {
    name: plural(names.length, "step"),
    state: worst,
    gist: said.map((word) => `${count(counts.get(word) ?? 0)} ${word}`).join(" · "),
    share: done < names.length ? done / names.length : null,
  };
}

/** A line that leaves and arrives level. @param {[number, number][]} points */
function curve(points) {
  let path = `M${points[0].join(" ")}`;
  for (let at = 1; at < points.length; at += 1) {
    const [fromX, fromY] = points[at - 1];
    const [toX, toY] = points[at];
    const middle = (fromX + toX) / 2;
    path += fromY === toY ? `L${toX} ${toY}` : `C${middle} ${fromY} ${middle} ${toY} ${toX} ${toY}`;
  }
  return path;
}
