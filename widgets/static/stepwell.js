// @ts-check
// Where in the page things are drawn: over the static HTML that the notebook keeps.
//
// The widget has no display of its own, since a notebook would keep that and say "model not
// found" for ever after. Cells hold static HTML that names its run, in a class; while there
// is a kernel to talk to, this finds it wherever it appears and draws over it.
import { Approval } from "./approval.js";
import { ChildRun } from "./child.js";
import { Link } from "./link.js";
import { RunPane } from "./run_view.js";

const LOOK = 250; // milliseconds between two looks at the page
const FRAME = 100;
const AGAIN = 1500;
const HERE = 10_000;
const SPARE = 8;

/**
 * @param {import("./link.js").Link} link
 * @returns {(facts: any) => ChildRun}
 */
function children(link) {
  return (facts) => new ChildRun(link, facts, (state) => new RunPane(link, state, { ...around(link), isChild: true }));
}

/** @typedef {{ element: HTMLElement, update: () => void, isFor: (anchor: Element) => boolean }} Pane */

/** The form of one question, below the card of the step that asks. */
class Question {
  /** @param {import("./link.js").Link} link @param {any} facts */
  constructor(link, facts) {
    this.link = link;
    this.mark = markOf(facts.id);
    this.form = new Approval(link, facts);
    this.element = this.form.element;
    this.element.classList.add("sw-in-card");
  }

  /** @param {Element} anchor */
  isFor(anchor) {
    return anchor.classList.contains(this.mark);
  }

  update() {
    this.form.tick();
    if (!this.link.state.run.approvals.some((approval) => markOf(approval.id) === this.mark)) void this.form.settle();
  }
}

/** As `_card.py` writes it. @param {string} id */
function markOf(id) {
  return `stepwell-question-${id.replaceAll(/[^\w-]/g, "_")}`;
}

/** One place in the page where the run is drawn over its static HTML. */
class Mount {
  /**
   * @param {HTMLElement} anchor
   * @param {Pane} pane
   * @param {() => void} look
   */
  constructor(anchor, pane, look) {
    this.anchor = anchor;
    this.pane = pane;
    anchor.style.display = "none";
    anchor.after(pane.element);
    resume(pane.element);
    this._wasSeen = this.isSeen;
    // The front end draws the HTML anew when that changes: back before anybody sees it.
    this.observer = new MutationObserver(look);
    this.observer.observe(/** @type {Node} */ (anchor.parentNode), { childList: true });
  }

  /** Also while a notebook keeps the cell out of the page, as it does with what is far away. */
  get isThere() {
    const parent = this.anchor.parentNode;
    return parent !== null && parent === this.pane.element.parentNode;
  }

  get isSeen() {
    return this.pane.element.offsetParent !== null;
  }

  /** A notebook takes cells that are far away out of the page, and brings them back. */
  look() {
    const isSeen = this.isSeen;
    if (isSeen && !this._wasSeen) resume(this.pane.element);
    this._wasSeen = isSeen;
  }

  remove() {
    this.observer.disconnect();
    this.pane.element.remove();
    this.anchor.style.display = "";
  }
}

/** @type {WeakMap<Element, HTMLElement>} where the keyboard was last, by pane */
const focused = new WeakMap();

/** @type {WeakMap<Element, Map<Element, number>>} how far what is in a pane was scrolled */
const scrolled = new WeakMap();

/** Note where the keyboard is, and what is scrolled. @param {HTMLElement} pane */
function follow(pane) {
  const tops = new Map();
  scrolled.set(pane, tops);
  const note = (/** @type {Event} */ event) => pane.isConnected && tops.set(event.target, /** @type {Element} */ (event.target).scrollTop);
  pane.addEventListener("scroll", note, { capture: true, passive: true });
  pane.addEventListener("focusin", (event) => focused.set(pane, /** @type {HTMLElement} */ (event.target)));
  pane.addEventListener("focusout", (event) => event.relatedTarget && focused.delete(pane));
}

/** What is moved in the page loses its place and the keyboard: give them back. @param {HTMLElement} pane */
function resume(pane) {
  for (const [box, top] of scrolled.get(pane) ?? []) {
    if (!pane.contains(box)) scrolled.get(pane)?.delete(box);
    else if (box.scrollTop !== top) box.scrollTop = top;
  }
  const last = focused.get(pane);
  if (last && pane.contains(last) && document.activeElement === document.body) last.focus({ preventScroll: true });
}

/** Everything that is drawn with one model, and the looking for where. */
class Page {
  /** @param {import("./link.js").Link} link */
  constructor(link) {
    this.link = link;
    /** @type {Map<Element, Mount>} */
    this.mounts = new Map();
    /** @type {Pane[]} without a place at the moment */
    this.spare = [];
    this._isDue = false;
    this._unwatch = link.watch(() => this._changed());
    this._timers = [
      // Said before the kernel listens, or while it ends, it may be lost.
      setInterval(() => link.state.isKnown || !link.isAlive || link.hello(), AGAIN),
      setInterval(() => this._look(), LOOK),
      setInterval(() => this._changed(), 1000),
      setInterval(() => this.mounts.size && link.isAlive && link.model.send({ kind: "here" }), HERE),
    ];
    link.hello();
  }

  close() {
    this._timers.forEach(clearInterval);
    this._unwatch();
    for (const mount of this.mounts.values()) mount.remove();
    this.mounts.clear();
  }

  _look() {
    const { run } = this.link.state;
    if (!/^[\w-]+$/.test(run.id)) return;
    const name = `stepwell-run-${run.id}`;
    for (const [anchor, mount] of this.mounts) {
      if (mount.isThere && (mount.pane instanceof Question || anchor.classList.contains(name))) {
        mount.look();
        continue;
      }
      mount.remove();
      this.mounts.delete(anchor);
      // As somebody has left it, should the place appear again.
      this.spare = [mount.pane, ...this.spare].slice(0, SPARE);
    }
    this._mountAll(name, () => new RunPane(this.link, this.link.state, around(this.link)));
    for (const asked of run.approvals) this._mountAll(markOf(asked.id), () => new Question(this.link, asked));
  }

  /** @param {string} name @param {() => Pane} make */
  _mountAll(name, make) {
    for (const anchor of document.getElementsByClassName(name)) {
      if (!(anchor instanceof HTMLElement) || this.mounts.has(anchor)) continue;
      const known = this.spare.find((pane) => pane.isFor(anchor));
      if (known) this.spare = this.spare.filter((pane) => pane !== known);
      const pane = known ?? make();
      if (!known) follow(pane.element);
      this.mounts.set(anchor, new Mount(anchor, pane, () => this._look()));
      pane.update();
    }
  }

  _changed() {
    if (!this.link.isAlive) {
      this.close();
      return;
    }
    if (this._isDue) return;
    this._isDue = true;
    setTimeout(() => {
      this._isDue = false;
      for (const mount of this.mounts.values()) if (mount.isSeen) mount.pane.update();
    }, FRAME);
  }
}

/** @param {import("./link.js").Link} link */
function around(link) {
  return { child: children(link), approval: (/** @type {any} */ facts) => new Approval(link, facts) };
}

/** @param {{ model: any }} context */
function initialize({ model }) {
  const link = new Link(model);
  const page = new Page(link);
  return () => {
    page.close();
    link.close();
  };
}

/**
 * In front ends that give each output a document of its own, the run is drawn here.
 * @param {{ model: any, el: HTMLElement }} context
 */
function render({ model, el }) {
  const link = new Link(model);
  const pane = new RunPane(link, link.state, around(link));
  const unwatch = link.watch(() => pane.update());
  el.append(pane.element);
  link.hello();
  return () => {
    unwatch();
    link.close();
  };
}

export default { initialize, render };
