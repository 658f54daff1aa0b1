/** Which events are shown. */

import { needle } from "./records.js";

/** @typedef {import("./records.js").Entry} Entry */

/**
 * @typedef {object} Filter
 * @property {string} text
 * @property {string} kind
 * @property {string} name
 * @property {string} user a part of the id; the whole of it after `=`
 * @property {string} field the name of a scope's field
 * @property {string} value a part of that field's value; the whole of it after `=`
 * @property {string} request
 * @property {Set<string>} marks any of these; all where it is empty
 */

/** @returns {Filter} */
export function everything() {
  return { text: "", kind: "", name: "", user: "", field: "", value: "", request: "", marks: new Set() };
}

/** @param {Filter} filter */
export function isEverything({ marks, ...texts }) {
  return marks.size === 0 && Object.values(texts).every((text) => text === "");
}

/**
 * @param {Filter} filter
 * @returns {(entry: Entry) => boolean}
 */
export function matcher(filter) {
  /** @type {((entry: Entry) => boolean)[]} */
  const conditions = [];
  if (filter.marks.size > 0) conditions.push((entry) => entry.marks.some((mark) => filter.marks.has(mark)));
  if (filter.kind) conditions.push(({ record }) => record.type === filter.kind);
  if (filter.name) conditions.push(({ record }) => record.name === filter.name);
  if (filter.request) conditions.push(({ record }) => record.request === filter.request);
  if (filter.user) {
    const matches = term(filter.user);
    conditions.push(({ record }) => record.user !== null && matches(record.user));
  }
  if (filter.field || filter.value) {
    const matches = term(filter.value);
    conditions.push(({ record }) => scopeValues(record.scope, filter.field).some(matches));
  }
  for (const word of filter.text.split(/\s+/).filter(Boolean).map(needle)) {
    conditions.push(({ text }) => text.includes(word));
  }
  return (entry) => conditions.every((holds) => holds(entry));
}

/**
 * @param {string} typed
 * @returns {(value: string) => boolean}
 */
function term(typed) {
  if (typed.startsWith("=")) return (value) => value === typed.slice(1);
  const lower = typed.toLowerCase();
  return (value) => value.toLowerCase().includes(lower);
}

/**
 * @param {Record<string, any>} scope
 * @param {string} field all fields where it is empty
 */
function scopeValues(scope, field) {
  if (!field) return Object.values(scope).map(String);
  return Object.hasOwn(scope, field) ? [String(scope[field])] : [];
}
