// @ts-check
// What has been changed in a text, line by line. Pure.

const MOST_ROWS = 1500;
const AROUND = 2;

/**
 * A unified diff without a head; empty when nothing has changed.
 * @param {string} before
 * @param {string} after
 */
export function difference(before, after) {
  if (before === after) return "";
  if (!before || !after) return (before || after).split("\n").map((row) => (before ? "-" : "+") + row).join("\n");
  const old = before.split("\n");
  const young = after.split("\n");
  let head = 0;
  while (head < old.length && head < young.length && old[head] === young[head]) head += 1;
  let tail = 0;
  while (tail < Math.min(old.length, young.length) - head && old[old.length - 1 - tail] === young[young.length - 1 - tail]) tail += 1;
  const rows = inner(old.slice(head, old.length - tail), young.slice(head, young.length - tail));
  const lead = old.slice(Math.max(0, head - AROUND), head).map((row) => ` ${row}`);
  const rest = old.slice(old.length - tail, old.length - tail + AROUND).map((row) => ` ${row}`);
  return [...lead, ...rows, ...rest].join("\n");
}

/** @param {string[]} old @param {string[]} young */
function inner(old, young) {
  // The table of common lengths grows with the product of both.
  if (old.length * young.length > MOST_ROWS * MOST_ROWS) return [...old.map((row) => `-${row}`), ...young.map((row) => `+${row}`)];
  const common = lengths(old, young);
  const rows = [];
  let at = 0;
  let to = 0;
  while (at < old.length || to < young.length) {
    if (at < old.length && to < young.length && old[at] === young[to]) {
      rows.push(` ${old[at]}`);
      at += 1;
      to += 1;
    } else if (to >= young.length || (at < old.length && common[at + 1][to] >= common[at][to + 1])) {
      rows.push(`-${old[at]}`);
      at += 1;
    } else {
      rows.push(`+${young[to]}`);
      to += 1;
    }
  }
  return rows;
}

/** Of the longest common rest from each pair of places on. @param {string[]} old @param {string[]} young */
function lengths(old, young) {
  const table = Array.from({ length: old.length + 1 }, () => new Uint32Array(young.length + 1));
  for (let at = old.length - 1; at >= 0; at -= 1) {
    for (let to = young.length - 1; to >= 0; to -= 1) {
      table[at][to] = old[at] === young[to] ? table[at + 1][to + 1] + 1 : Math.max(table[at + 1][to], table[at][to + 1]);
    }
  }
  return table;
}
