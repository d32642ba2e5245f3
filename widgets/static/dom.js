// @ts-check
// Elements out of parts. Text is only ever text: nothing here parses HTML.

/** @typedef {Node | string | number | null | undefined | false} Part */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. Properties beginning with `on` are listeners; the others are attributes, and
 * those that are null, undefined or false are left out.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Part | Part[])} parts
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...parts) {
  const made = document.createElement(tag);
  dress(made, attributes);
  made.append(...nodes(parts));
  return made;
}

/**
 * An element of a drawing.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Part | Part[])} parts
 * @returns {SVGElement}
 */
export function s(tag, attributes = {}, ...parts) {
  const made = /** @type {SVGElement} */ (document.createElementNS(SVG, tag));
  dress(made, attributes);
  made.append(...nodes(parts));
  return made;
}

/**
 * @param {Element} element
 * @param {Record<string, any>} attributes
 */
export function dress(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === null || value === undefined || value === false) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/**
 * @param {(Part | Part[])[]} parts
 * @returns {(Node | string)[]}
 */
function nodes(parts) {
  return parts
    .flat()
    .filter((part) => part !== null && part !== undefined && part !== false && part !== "")
    .map((part) => (part instanceof Node ? part : plain(String(part))));
}

/**
 * Put these parts where there were others.
 * @param {Element} element
 * @param {...(Part | Part[])} parts
 */
export function fill(element, ...parts) {
  element.replaceChildren(...nodes(parts));
}

const COMMANDS = /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)/g;
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\u{e0000}-\u{e0fff}]/gu;
const STACKED = /([\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{4})[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+/g;

/**
 * The text with everything that is hidden in it, or would turn the writing round, shown by
 * its number; without colour codes for terminals.
 * @param {string} text
 */
export function plain(text) {
  const shown = text.replaceAll("\r\n", "\n").replace(COMMANDS, "").replace(STACKED, "$1");
  return shown.replace(HIDDEN, (found) => {
    const number = /** @type {number} */ (found.codePointAt(0));
    return `⟨U+${number.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

/**
 * The text on one line, cut.
 * @param {string} text
 * @param {number} [most]
 */
export function oneLine(text, most = 160) {
  const start = plain(text.slice(0, 4 * most)).split(/\s+/).join(" ").trim();
  return start.length > most || text.length > 4 * most ? `${start.slice(0, most)}…` : start;
}

/** @param {string} text */
export function isolated(text) {
  return h("bdi", {}, text);
}

let counted = 0;
/** An id that no other element of the page has. @param {string} word */
export function freshId(word) {
  counted += 1;
  return `stepwell-${word}-${counted}-${Math.random().toString(36).slice(2, 8)}`;
}
