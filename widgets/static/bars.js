// @ts-check
// What a step's time went into: work, and each kind of waiting. Pure.
import { clock, duration, elapsed } from "./format.js";

/**
 * @typedef {{ kind: string, start: number, end: number, what: string, said: string,
 *   attempt: number, isOpen?: boolean }} Bar `kind` is a key of BAR_KINDS
 */

/** Each kind of bar by the word it goes by in the legend, in the legend's order. */
export const BAR_KINDS = {
  running: "running",
  done: "done",
  failed: "failed",
  cancelled: "cancelled",
  interrupted: "cut off",
  person: "asks a person",
  sleep: "sleeps",
  message: "waits for a message",
  child: "waits for a child run",
  held: "waits for its turn",
  backoff: "before a retry",
  restored: "restored",
};

const SAID = {
  person: "waited for a person",
  sleep: "slept",
  message: "waited for a message",
  child: "waited for a child run",
  held: "waited for its turn",
  backoff: "waited before trying again",
};

/** Whether it is a way of waiting, and drawn over the attempt that waits. @param {string} kind */
export function isWait(kind) {
  return kind in SAID;
}

/**
 * The bars of a step, those that lie above others last.
 * @param {import("./link.js").RunState} state
 * @param {import("./link.js").Step} step
 * @param {number} at now
 * @returns {Bar[]}
 */
export function barsOf(state, step, at) {
  const spans = state.attempts(step.name);
  const waits = state.waits(step.name).map((stretch) => waiting(stretch, spans, step, at));
  const held = heldBack(state, step, at);
  const bars = [...(held ? [held] : []), ...waits].filter((bar) => bar.end >= bar.start);
  return [...spans.map((span) => worked(span, bars, at)), ...bars];
}

/**
 * @param {import("./link.js").Span} span
 * @param {Bar[]} waits
 * @param {number} at
 * @returns {Bar}
 */
function worked([, attempt, start, end, outcome], waits, at) {
  const until = end || at;
  const idle = covered(waits.filter((bar) => isWait(bar.kind)), start, until);
  const took = `${duration((until - start) / 1e6)}${idle ? `, ${duration(idle / 1e6)} of it waiting` : ""}`;
  const word = outcome === "interrupted" ? "cut off when its process ended; last seen after" : `${outcome},`;
  return { kind: outcome, start, end: until, attempt, what: `attempt ${attempt}`, said: `${word} ${took}`, isOpen: !end };
}

/**
 * @param {import("./link.js").Stretch} stretch
 * @param {import("./link.js").Span[]} spans
 * @param {import("./link.js").Step} step
 * @param {number} at
 * @returns {Bar}
 */
function waiting([, attempt, , kind, start, end, about], spans, step, at) {
  if (kind === "restored") return { kind, start, end: start, attempt, what: "restored", said: `answered from the store: ${duration(step.seconds)} saved` };
  let until = end || openEnd(spans, step, at);
  if (kind === "backoff") {
    const next = spans.find((span) => span[2] > start);
    until = Math.min(end, about ? end : (next?.[2] ?? end), at);
  }
  const what = SAID[/** @type {keyof typeof SAID} */ (kind)] ?? kind;
  const took = until - start < 1e6 ? duration((until - start) / 1e6) : elapsed((until - start) / 1e6);
  return { kind, start, end: until, attempt, what, said: `${took}${about ? `: ${about}` : ""}`, isOpen: !end };
}

/** Until when something is waited for that has not come.
 * @param {import("./link.js").Span[]} spans @param {import("./link.js").Step} step @param {number} at */
function openEnd(spans, step, at) {
  if (["running", "waiting", "needs a person"].includes(step.state)) return at;
  return spans[spans.length - 1]?.[3] || at;
}

/** @param {import("./link.js").RunState} state @param {import("./link.js").Step} step @param {number} at @returns {Bar | null} */
function heldBack(state, step, at) {
  if (step.state !== "waiting" || !step.held) return null;
  const ends = step.after.flatMap((name) => state.attempts(name).map((span) => span[3]));
  const start = Math.max(step.since, ...ends);
  if (!start) return null;
  return { kind: "held", start, end: at, attempt: 0, what: SAID.held, said: `${elapsed((at - start) / 1e6)}: ${step.held}`, isOpen: true };
}

/** How much of a stretch is covered, each moment once. @param {Bar[]} bars @param {number} start @param {number} end */
function covered(bars, start, end) {
  let sum = 0;
  let from = start;
  for (const bar of [...bars].sort((a, b) => a.start - b.start)) {
    const begin = Math.max(from, bar.start);
    const stop = Math.min(end, bar.end);
    if (stop > begin) {
      sum += stop - begin;
      from = stop;
    }
  }
  return sum;
}

/** A bar in words. @param {Bar} bar */
export function barText(bar) {
  return `${bar.what}: ${bar.said}, from ${clock(bar.start)}`;
}
