// @ts-check
// Values to look at: text, trees, tables, pictures. Long ones fold.
import { h, oneLine, plain } from "./dom.js";
import { count, plural, size } from "./format.js";

/**
 * @typedef {{ kind: string, text?: string, more?: number, value?: any, columns?: any[],
 *   rows?: any[][], total?: number, width?: number, mime?: string, data?: string,
 *   entries?: any[], name?: string }} Value
 */

const LINES = 18;

/** @param {Value | null | undefined} value @returns {HTMLElement} */
export function draw(value) {
  if (!value) return h("div", { class: "sw-muted" }, "nothing");
  switch (value.kind) {
    case "tree":
      return h("div", { class: "sw-tree" }, tree(value.value, 0));
    case "table":
      return table(value);
    case "image":
      return image(value);
    case "diff":
      return diff(value.text ?? "");
    case "error":
      return h("div", { class: "sw-problem" }, value.text ?? "");
    case "log":
      return h("div", { class: "sw-log" }, (value.entries ?? []).map(draw));
    default:
      return text(value.text ?? "", { more: value.more ?? 0, kind: value.name === "stderr" ? "sw-stderr" : "" });
  }
}

/**
 * Text in its lines, folded where there are many, scrolled where they are long.
 * @param {string} said
 * @param {{ more?: number, kind?: string, lines?: number }} [options]
 */
export function text(said, { more = 0, kind = "", lines = LINES } = {}) {
  const shown = plain(said).replace(/\s+$/, "");
  const all = shown.split("\n");
  const cut = all.length > lines + 4 ? all.slice(0, lines).join("\n") : shown;
  const pre = h("pre", { class: `sw-pre ${kind}`, dir: "auto", tabindex: 0 }, wide(cut));
  const parts = [pre];
  if (cut !== shown) {
    const open = h("button", { type: "button", class: "sw-link" }, `show ${plural(all.length - lines, "more line")}`);
    open.addEventListener("click", () => {
      pre.textContent = wide(shown);
      open.remove();
      pre.focus();
    });
    parts.push(open);
  }
  if (more) parts.push(h("div", { class: "sw-muted" }, `${plural(more, "more character")} not shown`));
  return h("div", { class: "sw-text" }, parts);
}

const GROWING = { stderr: "sw-stderr", prose: "sw-prose" };

/**
 * The end of what is still being written, which stays in sight unless somebody has scrolled.
 * @param {HTMLElement} place
 * @param {Value[]} parts
 */
export function ending(place, parts) {
  // Noted when somebody scrolls: what was out of the page for a while has lost its place.
  const isFollowed = place.dataset.end !== "left";
  place.onscroll = () => {
    if (place.isConnected) place.dataset.end = place.scrollHeight - place.scrollTop - place.clientHeight < 24 ? "followed" : "left";
  };
  parts.forEach((part, at) => {
    const known = place.children[at];
    if (part.kind === "image") {
      const drawn = draw(part);
      if (!known) place.append(drawn);
      else if (!known.isEqualNode(drawn)) place.replaceChild(drawn, known);
      return;
    }
    const kind = `sw-pre sw-growing ${GROWING[/** @type {keyof typeof GROWING} */ (part.name ?? "")] ?? ""}`;
    const block = known?.tagName === "PRE" ? known : h("pre", { dir: "auto" });
    if (block !== known) known ? place.replaceChild(block, known) : place.append(block);
    block.className = kind;
    const said = wide(plain(part.text ?? "").replace(/\s+$/, ""));
    if (block.textContent !== said) block.textContent = said;
  });
  while (place.childElementCount > parts.length) place.lastElementChild?.remove();
  if (isFollowed) place.scrollTop = place.scrollHeight;
}

const WIDEST = 2000;

/** A megabyte on one line would stop the page. @param {string} said */
function wide(said) {
  return said
    .split("\n")
    .map((row) => (row.length > WIDEST ? `${row.slice(0, WIDEST)}… (+${count(row.length - WIDEST)} characters)` : row))
    .join("\n");
}

/** @param {any} value @param {number} depth @returns {HTMLElement} */
function tree(value, depth) {
  if (value === null || typeof value !== "object") return leaf(value);
  const entries = Array.isArray(value) ? value.map((item, at) => [String(at), item]) : Object.entries(value);
  if (!entries.length) return h("span", { class: "sw-muted" }, Array.isArray(value) ? "[ ]" : "{ }");
  const rows = entries.slice(0, 200).map(([key, item]) => branch(key, item, depth));
  if (entries.length > 200) rows.push(h("div", { class: "sw-muted" }, `and ${count(entries.length - 200)} more`));
  return h("div", { class: "sw-branches" }, rows);
}

/** @param {string} key @param {any} item @param {number} depth */
function branch(key, item, depth) {
  const name = h("span", { class: "sw-key" }, oneLine(key, 80));
  const isSmall = item === null || typeof item !== "object" || !Object.keys(item).length;
  if (isSmall) return h("div", { class: "sw-branch" }, name, tree(item, depth + 1));
  const inner = h("div", { class: "sw-inner" });
  const about = h("span", { class: "sw-muted" }, Array.isArray(item) ? plural(item.length, "item") : oneLine(JSON.stringify(item), 60));
  const fold = h("details", { class: "sw-branch" }, h("summary", {}, name, about), inner);
  const open = () => inner.childElementCount || inner.append(tree(item, depth + 1));
  fold.addEventListener("toggle", open);
  if (depth < 1 && Object.keys(item).length <= 8) {
    fold.setAttribute("open", "");
    open();
  }
  return fold;
}

/** @param {any} value */
function leaf(value) {
  if (typeof value === "string") return value.includes("\n") || value.length > 300 ? text(value, { lines: 8 }) : h("span", { class: "sw-string", dir: "auto" }, value || "“”");
  return h("span", { class: "sw-literal" }, String(value));
}

/** @param {Value} value */
export function table(value) {
  const columns = value.columns ?? [];
  const rows = value.rows ?? [];
  const head = columns.map((column) => h("th", { scope: "col", class: column.number ? "sw-number" : "", title: column.type ?? "" }, oneLine(String(column.name), 60)));
  const body = rows.map((row) =>
    h("tr", {}, row.map((cell, at) => h("td", { class: columns[at]?.number ? "sw-number" : "", title: String(cell).length > 60 ? plain(String(cell).slice(0, 400)) : null }, oneLine(String(cell), 60)))),
  );
  const total = value.total ?? rows.length;
  const facts = [plural(total, "row"), value.width && value.width > columns.length ? `${count(value.width)} columns` : ""];
  const about = total > rows.length || facts[1] ? h("div", { class: "sw-muted" }, facts.filter(Boolean).join(" × "), ` · ${count(rows.length)} shown`) : null;
  return h("div", {}, h("div", { class: "sw-scroll", tabindex: 0, role: "region", "aria-label": "Table" }, h("table", { class: "sw-table" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body))), about);
}

/** @param {Value} value */
function image(value) {
  // Only pictures that are pixels: a drawing may carry a script.
  if (!/^image\/(png|jpeg|gif|webp)$/.test(value.mime ?? "")) return h("div", { class: "sw-muted" }, "a picture that cannot be shown");
  return h("img", { class: "sw-image", src: `data:${value.mime};base64,${value.data}`, alt: oneLine(value.text ?? "plot", 120) });
}

/** A unified diff, its lines tinted. @param {string} said */
export function diff(said) {
  const rows = plain(said).replace(/\s+$/, "").split("\n").slice(0, 2000);
  return h("pre", { class: "sw-pre sw-diff", tabindex: 0 }, rows.map((row) => h("span", { class: diffKind(row) }, `${row.slice(0, WIDEST)}\n`)));
}

/** @param {string} row */
function diffKind(row) {
  if (row.startsWith("+")) return "sw-added";
  if (row.startsWith("-")) return "sw-removed";
  return row.startsWith("@@") ? "sw-muted" : "";
}

/** Code with the numbers of its lines. @param {string} source @param {number} first @param {number} marked */
export function code(source, first, marked) {
  const rows = plain(source).replace(/\s+$/, "").split("\n").slice(0, 5000);
  return h("pre", { class: "sw-pre sw-code", tabindex: 0, style: `counter-reset: line ${first - 1}` }, rows.map((row, at) => h("span", { class: at + first === marked ? "sw-line sw-marked" : "sw-line" }, `${row.slice(0, WIDEST)}\n`)));
}

/** Type and size of an output. @param {any} output */
export function about(output) {
  const facts = [output.type, output.size ? size(output.size) : "", output.is_stored === undefined ? "not stored" : ""];
  return oneLine(facts.filter(Boolean).join(", "), 120);
}
