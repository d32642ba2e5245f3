// @ts-check
// What is known of the run, and the messages it comes by. Drawing is elsewhere.

/**
 * @typedef {{ call: string, name: string, item: string, step: string, text: string,
 *   is_cut: boolean, pieces: number, is_over: boolean }} Stream
 * @typedef {{ name: string, state: string, since: number, attempt: number, seconds: number,
 *   after: string[], writes: string[], error: any, waiting: string[], blocked: string[],
 *   way_out: string, stale: string[], note: string, items: any, progress: any, approval: any,
 *   streams: Stream[], more_streams: number,
 *   children: any[], retry_at: number, retry: number, retries: number, held: string,
 *   skipped: string, cost: number, tokens: number }} Step
 * @typedef {[step: string, attempt: number, start: number, end: number, outcome: string]} Span
 * @typedef {[step: string, attempt: number, key: string, kind: string, start: number, end: number,
 *   said: string]} Stretch
 * @typedef {{ id: string, flow: string, status: string, is_paused: boolean, started: number, notebook: string,
 *   store: string, spent: number, saved: number, cost: number, tokens: number,
 *   approvals: any[] }} Run
 * @typedef {{ send: (content: any) => void, on: (event: string, call: any) => void,
 *   off: (event: string, call?: any) => void }} Model
 */

const STEP = {
  state: "not run", since: 0, attempt: 0, seconds: 0, after: [], writes: [], error: null,
  waiting: [], blocked: [], way_out: "", stale: [], note: "", items: null, progress: null,
  streams: [], more_streams: 0,
  approval: null, children: [], retry_at: 0, retry: 0, retries: 0, held: "",
  skipped: "", cost: 0, tokens: 0,
};
const RUN = {
  id: "", flow: "", status: "idle", is_paused: false, started: 0, notebook: "", store: "", spent: 0, saved: 0,
  cost: 0, tokens: 0, approvals: [],
};

/** A run as of the latest message. */
export class RunState {
  constructor() {
    /** @type {Run} */
    this.run = { ...RUN };
    /** @type {Map<string, Step>} */
    this.steps = new Map();
    /** @type {Map<string, Map<number, Span>>} */
    this.spans = new Map();
    /** @type {Map<string, Map<string, Stretch>>} */
    this.stretches = new Map();
    /** @type {string[]} */
    this.verbs = [];
    this.number = 0;
    this.isKnown = false;
  }

  /**
   * Take note of a message; false when one before it is missing.
   * @param {any} message
   */
  take(message) {
    if (message.kind === "snapshot") {
      this.steps = new Map();
      this.spans = new Map();
      this.stretches = new Map();
      this.verbs = message.verbs ?? [];
      this.isKnown = true;
    } else if (!this.isKnown || message.number !== this.number + (message.kind === "changes" ? 1 : 0)) {
      return false;
    }
    this.number = message.number;
    if (message.run) this.run = { ...RUN, ...message.run };
    for (const step of message.steps ?? []) this.steps.set(step.name, { ...STEP, ...step });
    for (const span of message.spans ?? []) put(this.spans, span[0], span[1], span);
    for (const stretch of message.stretches ?? []) {
      const known = put(this.stretches, stretch[0], stretch[2], stretch);
      if (known.size > MOST_STRETCHES) known.delete(known.keys().next().value);
    }
    return true;
  }

  /** The attempts at a step, in order. @param {string} name @returns {Span[]} */
  attempts(name) {
    return [...(this.spans.get(name)?.values() ?? [])].sort((a, b) => a[1] - b[1]);
  }

  /** When a step waited, and for what, in order. @param {string} name @returns {Stretch[]} */
  waits(name) {
    return [...(this.stretches.get(name)?.values() ?? [])].sort((a, b) => a[4] - b[4]);
  }
}

const MOST_STRETCHES = 500;

/**
 * Into a map of maps; the answer is the inner one.
 * @template V @template K
 * @param {Map<string, Map<K, V>>} maps @param {string} outer @param {K} inner @param {V} value
 */
function put(maps, outer, inner, value) {
  const known = maps.get(outer) ?? new Map();
  known.set(inner, value);
  maps.set(outer, known);
  return known;
}

const PATIENCE = 1500;

/** The connection to the kernel: state that comes in, requests that go out. */
export class Link {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.state = new RunState();
    this.isAlive = true;
    /** @type {Set<() => void>} */
    this._watchers = new Set();
    /** @type {Map<string, { settle: (message: any) => void, timer: any }>} */
    this._open = new Map();
    this._asked = 0;
    this._count = 0;
    this._prefix = Math.random().toString(36).slice(2, 10);
    this._onMessage = (/** @type {any} */ message) => this._take(message);
    this._onLife = (/** @type {any} */ model_, /** @type {boolean} */ alive) => this._live(alive);
    model.on("msg:custom", this._onMessage);
    model.on("comm_live_update", this._onLife);
  }

  /** Ask for everything. */
  hello() {
    // Not more than once a second: what is missing may be on its way.
    if (Date.now() - this._asked < 1000) return;
    this._asked = Date.now();
    this.model.send({ kind: "hello" });
  }

  /**
   * Ask the kernel something. `slow` is called if there is no answer for a while; the answer
   * may still come.
   * @param {string} kind
   * @param {any} [what]
   * @param {() => void} [slow]
   * @returns {Promise<any>}
   */
  ask(kind, what = {}, slow = () => {}) {
    this._count += 1;
    const id = `${this._prefix}-${this._count}`;
    return new Promise((resolve, reject) => {
      const settle = (/** @type {any} */ message) => {
        if (message.error === undefined) resolve(message.value);
        else reject(Object.assign(new Error(message.error), { name: message.type ?? "Error", problems: message.problems }));
      };
      this._open.set(id, { settle, timer: setTimeout(slow, PATIENCE) });
      if (!this.isAlive) this._settle({ id, error: "the kernel is gone", type: "gone" });
      else this.model.send({ ...what, kind, id });
    });
  }

  /** @param {() => void} watcher @returns {() => void} */
  watch(watcher) {
    this._watchers.add(watcher);
    return () => this._watchers.delete(watcher);
  }

  close() {
    this.isAlive = false;
    this.model.off("msg:custom", this._onMessage);
    this.model.off("comm_live_update", this._onLife);
    for (const id of [...this._open.keys()]) {
      this._settle({ id, error: "the kernel is gone; nothing was changed", type: "gone" });
    }
    this._tell();
  }

  /** @param {any} message */
  _take(message) {
    if (message.kind === "answer") this._settle(message);
    else if (message.kind === "there?") this.model.send({ kind: "here" });
    else if (this.state.take(message)) this._tell();
    else this.hello();
  }

  /** @param {any} message */
  _settle(message) {
    const open = this._open.get(message.id);
    if (!open) return; // another tab's
    this._open.delete(message.id);
    clearTimeout(open.timer);
    open.settle(message);
  }

  /** @param {boolean} alive */
  _live(alive) {
    if (!alive && this.isAlive) this.close();
  }

  _tell() {
    for (const watcher of [...this._watchers]) watcher();
  }
}
