/** What is known of an event: who, where, when, and what emitted and declares it. */

import { element, icon } from "./dom.js";
import { clock } from "./times.js";
import { expandable, isolated } from "./text.js";

/** @typedef {import("./details.js").Actions} Actions */
/** @typedef {import("./records.js").Entry} Entry */
/** @typedef {import("./records.js").EventRecord} EventRecord */
/** @typedef {import("./server.js").PlanMessage} PlanMessage */

/**
 * @param {Entry} entry
 * @param {PlanMessage | null} declared
 * @param {Actions} actions
 */
export function facts({ record, received }, declared, actions) {
  /** @type {[string, (Node | string)[]][]} */
  const known = [["Received", [clock(received)]]];
  if (typeof record.envelope.timestamp === "string") known.push(["Timestamp", [isolated(record.envelope.timestamp, 60)]]);
  known.push(["User", record.user === null ? ["none"] : [isolated(record.user, 120), only("this user", () => actions.filter({ user: `=${record.user}` }))]]);
  const fields = Object.entries(record.scope).filter(([name]) => name !== "user_id" && name !== "anonymous_id");
  if (fields.length > 0) {
    known.push(["Scope", fields.slice(0, 30).map(([field, value]) => scopeField(field, String(value), actions))]);
  }
  if (record.request !== null) {
    const name = record.request;
    known.push(["Request", [isolated(name, 80), only("this request", () => actions.filter({ request: name }))]]);
  }
  if (record.name !== null) {
    const name = record.name;
    known.push(["Event", [isolated(name, 120), only("this event", () => actions.filter({ name }))]]);
  }
  known.push(["Message id", [record.message_id ? isolated(record.message_id, 120) : "none"]]);
  if (record.write_key_hint !== null) known.push(["Write key", ["ends in ", isolated(record.write_key_hint, 20)]]);
  known.push(["Handler", record.handler === null ? ["not told; clients tell it in debug mode"] : handler(record.handler)]);
  if (declared !== null) {
    const doc = declared.doc ? [element("span", { class: "doc" }, expandable(declared.doc, 200))] : [];
    known.push(["Declared", [element("code", {}, isolated(declared.class_name, 120)), place(declared.file, declared.line), ...doc]]);
  }
  const rows = known.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, ...value)]);
  return element("dl", { class: "facts" }, ...rows);
}

/**
 * @param {string} field
 * @param {string} value
 * @param {Actions} actions
 */
function scopeField(field, value, actions) {
  const work = () => actions.filter({ field, value: `=${value}` });
  return element(
    "span",
    { class: "scope-field" },
    isolated(field, 60),
    element("b", {}, isolated(value, 120)),
    only("this value", work),
  );
}

/**
 * @param {string} what
 * @param {() => void} work
 */
function only(what, work) {
  return element("button", { type: "button", class: "only", "aria-label": `Show only ${what}`, title: `Show only ${what}`, on: { click: work } }, icon("filter"));
}

/** @param {NonNullable<EventRecord["handler"]>} handler */
function handler({ name, file, line }) {
  return [element("code", {}, isolated(name, 300)), ...(file === null ? [] : [place(file, line)])];
}

/**
 * @param {string} file
 * @param {number | null} line
 */
function place(file, line) {
  return element("span", { class: "place" }, isolated(line === null ? file : `${file}:${line}`, 400));
}
