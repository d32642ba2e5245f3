// @ts-check
// Times, durations, sizes and sums, as people read them. As `_format.py` writes them.

/** Microseconds since 1970. */
export function now() {
  return Date.now() * 1000;
}

/** How long something took. @param {number} seconds */
export function duration(seconds) {
  if (seconds < 0.0005) return "0 ms";
  if (seconds < 0.9995) return `${(seconds * 1000).toFixed(0)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  return long(Math.round(seconds));
}

/** How long something has been going on. @param {number} seconds */
export function elapsed(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return whole < 60 ? `${whole} s` : long(whole);
}

/** @param {number} seconds */
function long(seconds) {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours >= 24) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  if (hours) return `${hours} h ${two(minutes % 60)} min`;
  return `${minutes} min ${two(seconds % 60)} s`;
}

/** @param {number} value */
function two(value) {
  return String(value).padStart(2, "0");
}

/** A moment in local time, with its day unless that is today. @param {number} moment */
export function clock(moment) {
  if (!moment) return "";
  const at = new Date(moment / 1000);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  if (at.toDateString() === new Date().toDateString()) return time;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

/** A number of bytes. @param {number} count */
export function size(count) {
  let value = count;
  for (const unit of ["B", "kB", "MB"]) {
    if (value < 999.5) return `${unit === "B" || value >= 99.5 ? value.toFixed(0) : value.toFixed(1)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(1)} GB`;
}

/** @param {number} value */
export function count(value) {
  return value.toLocaleString("en-US");
}

/** `1 step`, `2 steps`. @param {number} value @param {string} noun */
export function plural(value, noun) {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** A sum of money, in whatever it is counted. @param {number} value */
export function cost(value) {
  return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(2) : value.toPrecision(2);
}

const SIGNS = {
  "not run": "○", waiting: "◔", running: "●", done: "✓", restored: "↺", stale: "≠", failed: "✗",
  cancelled: "⊘", skipped: "⤼", "needs a person": "!",
};

/** The sign a state goes by; the word says it, the sign only helps. @param {string} state */
export function sign(state) {
  return SIGNS[/** @type {keyof typeof SIGNS} */ (state)] ?? "○";
}

/** A state as a class of the style sheet. @param {string} state */
export function look(state) {
  return `sw-is-${state.replaceAll(" ", "-")}`;
}

/**
 * What is to be said of a step beside its name and state, in a word or two.
 * @param {import("./link.js").Step} step
 */
export function gist(step) {
  if (step.state === "needs a person") return step.approval?.question || "asks";
  if (step.state === "failed") return step.error?.kind ?? "failed";
  if (step.retry_at) return `retry ${step.retry} of ${step.retries} in ${elapsed((step.retry_at - now()) / 1e6)}`;
  if (step.skipped) return step.skipped;
  if (step.held) return step.held;
  if (step.items?.total && step.state !== "done") return itemsGist(step.items);
  if (step.state === "running") return runningGist(step);
  if (step.state === "restored") return `saved ${duration(step.seconds)}`;
  if (step.blocked.length) return `blocked by ${step.blocked[0]}`;
  if (step.waiting.length) return `waits for ${step.waiting[0]}`;
  if (step.items?.total) return `${plural(step.items.total, "item")} · ${duration(step.seconds)}`;
  return step.seconds ? duration(step.seconds) : "";
}

/** @param {any} items */
function itemsGist(items) {
  const failed = items.failed ? ` · ${count(items.failed)} failed` : "";
  const left = secondsLeft(items);
  return `${count(items.done ?? 0)} of ${count(items.total)}${failed}${left ? ` · ${elapsed(left)} left` : ""}`;
}

/** From the pace so far; 0 while there is nothing to go by. @param {any} items */
export function secondsLeft(items) {
  const ended = (items.done ?? 0) + (items.failed ?? 0);
  const fresh = ended - (items.reused ?? 0);
  const passed = items.since ? (now() - items.since) / 1e6 : 0;
  return fresh > 0 && passed > 1 && items.total > ended ? Math.ceil((passed / fresh) * (items.total - ended)) : 0;
}

/** @param {import("./link.js").Step} step */
function runningGist(step) {
  const since = step.since ? elapsed((now() - step.since) / 1e6) : "";
  const progress = step.progress;
  if (!progress) return since;
  const share = progress.total ? `${Math.floor((100 * progress.done) / progress.total)} %` : count(progress.done);
  return [share, progress.text, since].filter(Boolean).join(" · ");
}

/** How far a step has come, from 0 to 1; null when that means nothing. @param {import("./link.js").Step} step */
export function share(step) {
  if (step.items?.total) return ((step.items.done ?? 0) + (step.items.failed ?? 0)) / step.items.total;
  if (step.progress?.total) return Math.min(1, step.progress.done / step.progress.total);
  return null;
}
