// @ts-check
// From moments to places on a line, with long pauses cut short. Pure.

/** @typedef {[start: number, end: number]} Stretch in microseconds */

const CUT = 0.035; // of the line, for a pause of whatever length
const LEAST = 5e6;

export class Scale {
  /**
   * @param {Stretch[]} busy when something was going on, in any order
   * @param {{ cut?: boolean }} [options]
   */
  constructor(busy, { cut = true } = {}) {
    /** @type {{ start: number, end: number, from: number, to: number, isPause: boolean }[]} */
    this.parts = [];
    const stretches = joined(busy);
    const active = stretches.reduce((sum, [start, end]) => sum + end - start, 0);
    const long = cut ? Math.max(LEAST, active * 0.25) : Infinity;
    const merged = closer(stretches, long);
    const total = merged.reduce((sum, [start, end]) => sum + Math.max(end - start, 1000), 0);
    const room = Math.max(0.2, 1 - CUT * (merged.length - 1));
    let from = 0;
    merged.forEach(([start, end], at) => {
      if (at) {
        const to = from + (1 - room) / (merged.length - 1);
        this.parts.push({ start: merged[at - 1][1], end: start, from, to, isPause: true });
        from = to;
      }
      const to = from + (room * Math.max(end - start, 1000)) / total;
      this.parts.push({ start, end, from, to, isPause: false });
      from = to;
    });
  }

  /** From 0 to 1. @param {number} moment */
  at(moment) {
    for (const part of this.parts) {
      if (moment <= part.end) {
        const span = Math.max(part.end - part.start, 1);
        return part.from + (Math.max(0, moment - part.start) / span) * (part.to - part.from);
      }
    }
    return this.parts.length ? 1 : 0;
  }

  /** The pauses that were cut. */
  get pauses() {
    return this.parts.filter((part) => part.isPause);
  }

  /** Where to write which time since the beginning, in seconds. @param {number} most */
  ticks(most) {
    const parts = this.parts.filter((part) => !part.isPause);
    if (!parts.length) return [];
    const active = parts.reduce((sum, part) => sum + part.end - part.start, 0);
    const step = niceStep(active / 1e6 / most);
    /** @type {{ at: number, seconds: number }[]} */
    const found = [];
    const origin = parts[0].start;
    for (const part of parts) {
      const first = (part.start - origin) / 1e6;
      const last = (part.end - origin) / 1e6;
      for (let seconds = Math.ceil(first / step) * step; seconds <= last && found.length < 4 * most; seconds += step) {
        found.push({ at: this.at(origin + seconds * 1e6), seconds });
      }
    }
    return found;
  }
}

const STEPS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800,
  3600, 7200, 14400, 28800, 86400,
];

/** @param {number} least */
function niceStep(least) {
  return STEPS.find((step) => step >= least) ?? Math.ceil(least / 86400) * 86400;
}

/** @param {Stretch[]} busy */
function joined(busy) {
  return closer([...busy].sort((a, b) => a[0] - b[0]), 0);
}

/** Stretches with no more than `gap` between them as one. @param {Stretch[]} sorted @param {number} gap */
function closer(sorted, gap) {
  /** @type {Stretch[]} */
  const found = [];
  for (const [start, end] of sorted) {
    const last = found[found.length - 1];
    if (last && start - last[1] <= gap) last[1] = Math.max(last[1], end);
    else found.push([start, end]);
  }
  return found;
}
