// @ts-check
// A long list of which only the rows in sight exist.
import { h, fill } from "./dom.js";

const BEYOND = 6;

/**
 * Rows of one height in a box that scrolls. `draw(index)` makes a row's content.
 */
export class LongList {
  /**
   * @param {number} height of a row, in pixels
   * @param {(index: number) => HTMLElement} draw
   * @param {{ label: string, className?: string }} options
   */
  constructor(height, draw, options) {
    this.height = height;
    this.draw = draw;
    this.count = 0;
    this.rows = h("div", { class: "sw-rows", role: "presentation" });
    this.space = h("div", { class: "sw-space", role: "presentation" }, this.rows);
    this.element = h(
      "div",
      { class: `sw-list ${options.className ?? ""}`, tabindex: 0, role: "list", "aria-label": options.label },
      this.space,
    );
    this._first = -1;
    this._last = -1;
    this.element.addEventListener("scroll", () => this._scrolled(), { passive: true });
  }

  /** There are so many rows now, and any may look different. @param {number} count */
  update(count) {
    this.count = count;
    this.space.style.height = `${count * this.height}px`;
    this._first = -1;
    this._scrolled();
  }

  /** The rows that are in sight, the last not counted. @returns {[number, number]} */
  get sight() {
    const first = Math.floor(this.element.scrollTop / this.height);
    return [first, Math.min(this.count, first + Math.ceil((this.element.clientHeight || 400) / this.height) + 1)];
  }

  /** Bring a row into sight. @param {number} index */
  reveal(index) {
    const top = index * this.height;
    const box = this.element;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + this.height > box.scrollTop + box.clientHeight) {
      box.scrollTop = top + this.height - box.clientHeight;
    }
    this._scrolled();
  }

  _scrolled() {
    const box = this.element;
    const room = box.clientHeight || 400;
    const first = Math.max(0, Math.floor(box.scrollTop / this.height) - BEYOND);
    const last = Math.min(this.count, Math.ceil((box.scrollTop + room) / this.height) + BEYOND);
    if (first === this._first && last === this._last) return;
    this._first = first;
    this._last = last;
    this._draw(first, last);
  }

  /** @param {number} first @param {number} last */
  _draw(first, last) {
    const focused = this._focused();
    const made = [];
    for (let index = first; index < last; index += 1) {
      const row = this.draw(index);
      row.style.height = `${this.height}px`;
      row.dataset.index = String(index);
      made.push(row);
    }
    this.rows.style.transform = `translateY(${first * this.height}px)`;
    fill(this.rows, made);
    if (focused !== null) this._focus(focused);
  }

  /** Which row has the keyboard. */
  _focused() {
    const active = document.activeElement;
    const row = active && this.rows.contains(active) ? active.closest("[data-index]") : null;
    return row instanceof HTMLElement ? Number(row.dataset.index) : null;
  }

  /** @param {number} index */
  _focus(index) {
    const row = this.rows.querySelector(`[data-index="${index}"]`);
    const target = row?.matches("[tabindex], button") ? row : row?.querySelector("button, [tabindex]");
    if (target instanceof HTMLElement) target.focus({ preventScroll: true });
  }
}
