// @ts-check
// A form from a JSON schema: a field for each value, what is wrong beside it.
import { dress, fill, freshId, h, isolated, oneLine } from "./dom.js";
import { blank, fieldOf, problemWith, schemaOf } from "./schema.js";

/**
 * @typedef {{ element: HTMLElement, read: () => any, show: (path: string[], problem: string) => boolean,
 *   check: () => boolean, clear: () => void, first: () => HTMLElement | null }} Part
 */

/** A form for one value. `changed` is called when somebody has changed anything. */
export class Form {
  /**
   * @param {any} schema
   * @param {any} value
   * @param {{ label: string, changed?: () => void }} options
   */
  constructor(schema, value, options) {
    const changed = options.changed ?? (() => {});
    this.part = partFor(schema ?? {}, value, { root: schema ?? {}, name: options.label, isRequired: true, changed, depth: 0 });
    this.element = h("div", { class: "sw-form" }, this.part.element);
  }

  read() {
    return this.part.read();
  }

  /** Say beside the fields what is wrong; false if anything is. */
  check() {
    this.part.clear();
    const isFine = this.part.check();
    if (!isFine) this.focusProblem();
    return isFine;
  }

  /** What the kernel found wrong; the answer has what could not be shown beside a field.
   * @param {[string, string][]} problems */
  show(problems) {
    this.part.clear();
    const rest = problems.filter(([path, problem]) => !this.part.show(path ? path.split(".") : [], problem));
    this.focusProblem();
    return rest;
  }

  focusProblem() {
    const field = this.element.querySelector('[aria-invalid="true"]');
    if (field instanceof HTMLElement) field.focus();
  }

  focus() {
    this.part.first()?.focus();
  }
}

/** @typedef {{ root: any, name: string, isRequired: boolean, changed: () => void, depth: number }} Setting */

/** @param {any} schema @param {any} value @param {Setting} setting @returns {Part} */
function partFor(schema, value, setting) {
  let field = fieldOf(schema, setting.root);
  if (field.kind === "any" && value !== null && value !== undefined) {
    // Left open by the schema: the value shows what it is.
    field = { ...fieldOf(schemaOf(value), setting.root), title: field.title, hint: field.hint };
  }
  if (field.kind === "nested" && setting.depth < 6) return nested(field, value, setting);
  if (field.kind === "list" && setting.depth < 6) return listed(field, value, setting);
  return single(field, value, setting);
}

/** @param {import("./schema.js").Field} field @param {any} value @param {Setting} setting @returns {Part} */
function nested(field, value, setting) {
  const parts = field.fields.map(([name, schema, isRequired]) => {
    const isKnown = value && typeof value === "object" && name in value;
    const part = partFor(schema, isKnown ? value[name] : blank(schema, setting.root), { ...setting, name, isRequired, depth: setting.depth + 1 });
    // What was not there and is left as it began stays away: its default is the kernel's.
    const start = isKnown || isRequired ? undefined : JSON.stringify(part.read());
    return { name, part, isLeft: () => start !== undefined && JSON.stringify(part.read()) === start };
  });
  // What the schema does not speak of is given back as it came.
  const others = value && typeof value === "object" ? value : {};
  const legend = setting.depth ? h("legend", {}, isolated(oneLine(field.title || setting.name, 80))) : null;
  const hint = setting.depth && field.hint ? h("div", { class: "sw-hint" }, oneLine(field.hint, 300)) : null;
  return {
    element: h("fieldset", { class: setting.depth ? "sw-fieldset" : "sw-fieldset sw-outer", "aria-label": setting.depth ? null : setting.name }, legend, hint, parts.map(({ part }) => part.element)),
    read: () => ({ ...others, ...Object.fromEntries(parts.filter(({ isLeft }) => !isLeft()).map(({ name, part }) => [name, part.read()]).filter(([, read]) => read !== undefined)) }),
    show: (path, problem) => parts.find(({ name }) => name === path[0])?.part.show(path.slice(1), problem) ?? false,
    check: () => parts.map(({ part, isLeft }) => isLeft() || part.check()).every(Boolean),
    clear: () => parts.forEach(({ part }) => part.clear()),
    first: () => parts[0]?.part.first() ?? null,
  };
}

/** @param {import("./schema.js").Field} field @param {any} value @param {Setting} setting @returns {Part} */
function listed(field, value, setting) {
  const title = field.title || setting.name;
  const rows = h("div", { class: "sw-list-rows" });
  /** @type {{ part: Part, element: HTMLElement }[]} */
  let entries = [];
  const add = (/** @type {any} */ item) => {
    const name = `${title} ${entries.length + 1}`;
    const part = partFor(field.item, item, { ...setting, name, isRequired: true, depth: setting.depth + 1 });
    const remove = h("button", { type: "button", class: "sw-button", "aria-label": `Remove ${oneLine(name, 60)}` }, "×");
    const entry = { part, element: h("div", { class: "sw-list-row" }, part.element, remove) };
    remove.addEventListener("click", () => {
      const at = entries.indexOf(entry);
      entries = entries.filter((other) => other !== entry);
      entry.element.remove();
      (entries[at] ?? entries[at - 1])?.part.first()?.focus();
      setting.changed();
    });
    entries.push(entry);
    rows.append(entry.element);
    return part;
  };
  for (const item of Array.isArray(value) ? value.slice(0, 500) : []) add(item);
  const more = h("button", { type: "button", class: "sw-button" }, `Add ${oneLine(title, 40)}`);
  more.addEventListener("click", () => {
    add(blank(field.item, setting.root)).first()?.focus();
    setting.changed();
  });
  const note = problemNote();
  return {
    element: h("fieldset", { class: "sw-fieldset" }, h("legend", {}, isolated(oneLine(title, 80))), field.hint && h("div", { class: "sw-hint" }, oneLine(field.hint, 300)), rows, more, note.element),
    read: () => entries.map(({ part }) => part.read()),
    show: (path, problem) => (path.length ? (entries[Number(path[0])]?.part.show(path.slice(1), problem) ?? false) : note.show(problem)),
    check: () => entries.map(({ part }) => part.check()).every(Boolean),
    clear: () => [note, ...entries.map(({ part }) => part)].forEach((part) => part.clear()),
    first: () => entries[0]?.part.first() ?? more,
  };
}

/** @param {import("./schema.js").Field} field @param {any} value @param {Setting} setting @returns {Part} */
function single(field, value, setting) {
  const id = freshId("field");
  const input = inputFor(field, value, id);
  input.control.addEventListener("input", () => {
    if (input.control.hasAttribute("aria-invalid")) show("");
    setting.changed();
  });
  const note = problemNote();
  const hint = field.hint ? h("div", { class: "sw-hint", id: `${id}-hint` }, oneLine(field.hint, 300)) : null;
  dress(input.control, { "aria-describedby": [hint && `${id}-hint`, note.element.id].filter(Boolean).join(" "), "aria-required": setting.isRequired && !field.isNullable ? "true" : null });
  const label = h("label", { for: id }, isolated(oneLine(field.title || setting.name, 80)));
  const show = (/** @type {string} */ problem) => {
    dress(input.control, { "aria-invalid": problem ? "true" : null });
    return note.show(problem);
  };
  return {
    element: h("div", { class: `sw-field sw-field-${field.kind}` }, label, input.element, hint, note.element),
    read: () => input.read(),
    show: (_, problem) => show(problem),
    check: () => {
      const problem = input.problem() || problemWith(input.read(), field, setting.isRequired);
      if (problem) show(problem);
      return !problem;
    },
    clear: () => show(""),
    first: () => input.control,
  };
}

function problemNote() {
  const element = h("div", { class: "sw-field-problem", id: freshId("problem"), role: "alert" });
  return {
    element,
    show: (/** @type {string} */ problem) => {
      fill(element, problem && isolated(oneLine(problem, 400)));
      return true;
    },
    clear: () => fill(element),
  };
}

/**
 * @param {import("./schema.js").Field} field @param {any} value @param {string} id
 * @returns {{ element: HTMLElement, control: HTMLInputElement, read: () => any, problem: () => string }}
 */
function inputFor(field, value, id) {
  switch (field.kind) {
    case "boolean":
      return checkbox(value, id);
    case "choice":
      return choice(field, value, id);
    case "number":
      return number(field, value, id);
    case "date":
    case "datetime":
    case "time":
      return moment(field, value, id);
    case "text":
      return textual(field, value, id);
    default:
      return asJson(value, id);
  }
}

/** @param {any} value @param {string} id */
function checkbox(value, id) {
  const control = /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", id }));
  control.checked = value === true;
  return { element: control, control, read: () => control.checked, problem: () => "" };
}

/** @param {import("./schema.js").Field} field @param {any} value @param {string} id */
function choice(field, value, id) {
  const choices = field.isNullable ? [null, ...field.choices] : field.choices;
  const at = Math.max(0, choices.findIndex((option) => JSON.stringify(option) === JSON.stringify(value ?? null)));
  const options = choices.map((option, index) => h("option", { value: index, selected: index === at }, option === null ? "—" : oneLine(String(option), 120)));
  const control = /** @type {any} */ (h("select", { id }, options));
  return { element: control, control, read: () => choices[Number(control.value)], problem: () => "" };
}

/** @param {import("./schema.js").Field} field @param {any} value @param {string} id */
function number(field, value, id) {
  const attributes = { type: "number", id, step: field.isWhole ? 1 : "any", min: field.least, max: field.most };
  const control = /** @type {HTMLInputElement} */ (h("input", attributes));
  control.value = value === undefined || value === null ? "" : String(value);
  const problem = () => (control.validity.badInput ? "is not a number" : "");
  return { element: control, control, read: () => (control.value === "" ? (field.isNullable ? null : undefined) : Number(control.value)), problem };
}

const MOMENTS = { date: "date", datetime: "datetime-local", time: "time" };

/** @param {import("./schema.js").Field} field @param {any} value @param {string} id */
function moment(field, value, id) {
  const control = /** @type {HTMLInputElement} */ (h("input", { type: MOMENTS[/** @type {keyof typeof MOMENTS} */ (field.kind)], id, step: field.kind === "date" ? null : 1 }));
  // An offset from UTC has no place in the browser's field: kept, and put back.
  const zone = /(?:Z|[+-]\d\d:?\d\d)$/.exec(field.kind === "datetime" ? String(value ?? "") : "")?.[0] ?? "";
  control.value = String(value ?? "").slice(0, zone ? -zone.length : undefined).replace(/\.\d+$/, "");
  const problem = () => (control.validity.badInput ? "is not complete" : "");
  return { element: control, control, read: () => (control.value ? control.value + zone : field.isNullable ? null : undefined), problem };
}

/** @param {import("./schema.js").Field} field @param {any} value @param {string} id */
function textual(field, value, id) {
  const said = String(value ?? "");
  const isLong = said.length > 60 || said.includes("\n") || (field.longest ?? 0) > 200;
  const control = /** @type {any} */ (isLong ? h("textarea", { id, rows: Math.min(14, Math.max(3, said.split("\n").length + Math.floor(said.length / 90))) }) : h("input", { type: "text", id }));
  dress(control, { dir: "auto", spellcheck: isLong ? "true" : "false" });
  control.value = said;
  return { element: control, control, read: () => (control.value === "" && field.isNullable ? null : control.value), problem: () => "" };
}

/** Where the schema leaves open what it is. @param {any} value @param {string} id */
function asJson(value, id) {
  const control = /** @type {any} */ (h("textarea", { id, rows: 4, class: "sw-json", spellcheck: "false" }));
  control.value = value === undefined ? "" : JSON.stringify(value, null, 2);
  const parse = () => (control.value.trim() === "" ? undefined : JSON.parse(control.value));
  const problem = () => {
    try {
      parse();
      return "";
    } catch {
      return 'is not JSON: text goes between "quotes"';
    }
  };
  return { element: control, control, read: () => (problem() ? undefined : parse()), problem };
}
