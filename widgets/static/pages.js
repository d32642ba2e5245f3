// @ts-check
// The items of a mapped step, a page at a time: those that somebody looks at.

const PAGE = 100;
const KEPT_PAGES = 40;
const AGAIN_AFTER = 1000; // milliseconds between two looks at what may have changed

/**
 * @typedef {{ key: string, state: string, attempt: number, seconds: number, said: string,
 *   start: number, end: number }} Item
 */

export class Pages {
  /**
   * @param {(what: any) => Promise<{ total: number, at: number, items: Item[] }>} ask
   * @param {() => void} changed something else is to be drawn
   * @param {(problem: string) => void} [trouble]
   */
  constructor(ask, changed, trouble = () => {}) {
    this.ask = ask;
    this.changed = changed;
    this.trouble = trouble;
    this.total = 0;
    this.query = "";
    this.only = "";
    /** @type {Map<number, Item[]>} by number */
    this.pages = new Map();
    /** @type {Map<number, number>} when each was asked for */
    this._asked = new Map();
    this._turn = 0;
  }

  /** Look for these alone, from now on. @param {string} query @param {string} only */
  narrow(query, only) {
    if (query === this.query && only === this.only) return;
    this.query = query;
    this.only = only;
    this.pages.clear();
    this._asked.clear();
    this._turn += 1;
    this._fetch(0);
  }

  /** An item, or nothing while it is on its way. @param {number} index @returns {Item | undefined} */
  get(index) {
    const page = Math.floor(index / PAGE);
    if (!this.pages.has(page)) this._fetch(page);
    return this.pages.get(page)?.[index % PAGE];
  }

  /** What is in sight may have changed. @param {number} first @param {number} last */
  refresh(first, last) {
    for (let page = Math.floor(Math.max(0, first) / PAGE); page <= Math.floor(Math.max(0, last - 1) / PAGE); page += 1) this._fetch(page, AGAIN_AFTER);
  }

  /** @param {number} page @param {number} [rest] */
  async _fetch(page, rest = 5 * AGAIN_AFTER) {
    const now = Date.now();
    if (now - (this._asked.get(page) ?? 0) < rest) return;
    this._asked.set(page, now);
    const turn = this._turn;
    try {
      const found = await this.ask({ at: page * PAGE, most: PAGE, query: this.query, only: this.only });
      if (turn !== this._turn) return;
      this._take(page, found);
    } catch (error) {
      this.trouble(/** @type {Error} */ (error).message);
    }
  }

  /** @param {number} page @param {{ total: number, items: Item[] }} found */
  _take(page, found) {
    const isSame = found.total === this.total && JSON.stringify(this.pages.get(page)) === JSON.stringify(found.items);
    this.total = found.total;
    this.pages.delete(page);
    this.pages.set(page, found.items);
    if (this.pages.size > KEPT_PAGES) this.pages.delete(this.pages.keys().next().value ?? -1);
    if (!isSame) this.changed();
  }
}
