// @ts-check
// JSON schemas, as pydantic writes them: what kind of field each part is. Pure.

/**
 * @typedef {{ kind: string, title: string, hint: string, isNullable: boolean, choices: any[],
 *   fields: [string, any, boolean][], item: any, least: number | null, most: number | null,
 *   isWhole: boolean, shortest: number, longest: number | null, pattern: string, start: any }} Field
 */

/**
 * What a schema asks for, with references followed and "or nothing" told apart.
 * @param {any} schema
 * @param {any} root
 * @returns {Field}
 */
export function fieldOf(schema, root) {
  const { plain: said, isNullable } = unwrapped(schema ?? {}, root, 0);
  return {
    kind: kindOf(said),
    title: said.title ?? "",
    hint: said.description ?? "",
    isNullable,
    choices: said.enum ?? ("const" in said ? [said.const] : []),
    fields: Object.entries(said.properties ?? {}).map(([name, part]) => [name, part, (said.required ?? []).includes(name)]),
    item: said.items ?? {},
    least: said.minimum ?? said.exclusiveMinimum ?? null,
    most: said.maximum ?? said.exclusiveMaximum ?? null,
    isWhole: said.type === "integer",
    shortest: said.minLength ?? 0,
    longest: said.maxLength ?? null,
    pattern: said.pattern ?? "",
    start: "default" in said ? said.default : undefined,
  };
}

/** @param {any} schema @param {any} root @param {number} depth @returns {{ plain: any, isNullable: boolean }} */
function unwrapped(schema, root, depth) {
  if (depth > 20) return { plain: {}, isNullable: false };
  if (schema.$ref) {
    const found = String(schema.$ref).split("/").slice(1).reduce((part, key) => part?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], root);
    const { $ref: _, ...rest } = schema;
    return unwrapped({ ...(found ?? {}), ...rest }, root, depth + 1);
  }
  if (schema.allOf?.length === 1) {
    const { allOf, ...rest } = schema;
    return unwrapped({ ...allOf[0], ...rest }, root, depth + 1);
  }
  const others = schema.anyOf ?? schema.oneOf;
  if (others) {
    const real = others.filter((/** @type {any} */ part) => part.type !== "null");
    const { anyOf: _a, oneOf: _o, ...rest } = schema;
    const isNullable = real.length < others.length;
    if (real.length === 1) return { plain: unwrapped({ ...real[0], ...rest }, root, depth + 1).plain, isNullable };
    return { plain: { ...rest, type: "any" }, isNullable };
  }
  return { plain: schema, isNullable: schema.type === "null" };
}

const FORMATS = { date: "date", "date-time": "datetime", time: "time" };

/** @param {any} said */
function kindOf(said) {
  if (said.enum || "const" in said) return "choice";
  switch (said.type) {
    case "boolean":
      return "boolean";
    case "integer":
    case "number":
      return "number";
    case "string":
      return FORMATS[/** @type {keyof typeof FORMATS} */ (said.format)] ?? "text";
    case "array":
      return said.items && !said.prefixItems ? "list" : "any";
    case "object":
      return said.properties ? "nested" : "any";
    default:
      return said.properties ? "nested" : "any";
  }
}

/**
 * The schema a value would have, for values that come without one.
 * @param {any} value
 * @returns {any}
 */
export function schemaOf(value) {
  if (value === null || value === undefined) return {};
  if (Array.isArray(value)) {
    const kinds = new Set(value.map((item) => JSON.stringify(schemaOf(item))));
    return kinds.size <= 1 ? { type: "array", items: value.length ? schemaOf(value[0]) : { type: "string" } } : {};
  }
  switch (typeof value) {
    case "string":
      return { type: "string" };
    case "number":
      return { type: "number" };
    case "boolean":
      return { type: "boolean" };
    default: {
      const properties = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, schemaOf(item)]));
      return { type: "object", properties, required: Object.keys(value) };
    }
  }
}

/** What a new part of a form begins with. @param {any} schema @param {any} root @returns {any} */
export function blank(schema, root) {
  const field = fieldOf(schema, root);
  if (field.start !== undefined) return field.start;
  if (field.isNullable) return null;
  if (field.kind === "nested") return Object.fromEntries(field.fields.map(([name, part]) => [name, blank(part, root)]));
  if (field.kind === "list") return [];
  if (field.kind === "boolean") return false;
  if (field.kind === "choice") return field.choices[0];
  return field.kind === "text" ? "" : undefined;
}

/**
 * What is wrong with one field's value, in words, or nothing. The kernel has the last word.
 * @param {any} value
 * @param {Field} field
 * @param {boolean} isRequired
 */
export function problemWith(value, field, isRequired) {
  const isMissing = value === undefined || value === null || value === "";
  if (isMissing) return isRequired && !field.isNullable && (field.kind !== "text" || field.shortest > 0) ? "is needed" : "";
  if (field.kind === "number") {
    if (typeof value !== "number" || Number.isNaN(value)) return "is not a number";
    if (field.isWhole && !Number.isInteger(value)) return "is not a whole number";
    if (field.least !== null && value < field.least) return `is less than ${field.least}`;
    if (field.most !== null && value > field.most) return `is more than ${field.most}`;
  }
  if (field.kind === "text" && typeof value === "string") {
    if (value.length < field.shortest) return `is shorter than ${field.shortest} characters`;
    if (field.longest !== null && value.length > field.longest) return `is longer than ${field.longest} characters`;
  }
  return "";
}
