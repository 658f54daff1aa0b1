/** Everything about one event. */

import { problems } from "./banners.js";
import { comparison } from "./comparison.js";
import { element, icon } from "./dom.js";
import { facts } from "./facts.js";
import { markOf, title } from "./records.js";
import { lasting } from "./times.js";
import { expandable, isolated } from "./text.js";
import { jsonTree } from "./tree.js";

/** @typedef {import("./records.js").Entry} Entry */
/** @typedef {import("./records.js").EventRecord} EventRecord */
/** @typedef {import("./server.js").PlanMessage} PlanMessage */

/**
 * @typedef {object} Actions
 * @property {(entry: Entry) => void} copyAssertion
 * @property {(entry: Entry) => void} copyJson
 * @property {(entry: Entry) => void} pin
 * @property {() => void} unpin
 * @property {(part: Partial<import("./filters.js").Filter>) => void} filter
 * @property {(seq: number) => void} open
 * @property {() => void} close
 */

/**
 * @typedef {object} Surroundings
 * @property {PlanMessage | null} declared
 * @property {Entry | null} pinned the event that this one is compared with
 * @property {Entry[]} related the events of its request, itself among them
 */

const MOST_RELATED = 20;
/** What every message has, and what is seldom looked at. */
const CLOSED = new Set(["context", "integrations"]);

/**
 * @param {Entry} entry
 * @param {Surroundings} surroundings
 * @param {Actions} actions
 * @returns {HTMLElement[]}
 */
export function details(entry, { declared, pinned, related }, actions) {
  const { record } = entry;
  const parts = [header(entry, pinned, actions)];
  if (pinned !== null && pinned !== entry) parts.push(comparison(pinned, entry));
  parts.push(...problems(record, actions));
  parts.push(facts(entry, declared, actions));
  if (record.provenance !== null) parts.push(provenance(record, record.provenance));
  parts.push(envelope(record));
  if (record.assertion !== null) parts.push(assertion(entry, record.assertion, actions));
  if (related.length > 1) parts.push(request(entry, related, actions));
  return parts;
}

/**
 * @param {Entry} entry
 * @param {Entry | null} pinned
 * @param {Actions} actions
 */
function header(entry, pinned, actions) {
  const { record, marks } = entry;
  const badges = marks.map((mark) => element("span", { class: `badge mark-${mark}` }, icon(markOf(mark).icon), markOf(mark).label));
  const compares = pinned === null ? { text: "Compare", work: () => actions.pin(entry) } : { text: "Stop comparing", work: actions.unpin };
  return element(
    "header",
    { class: "details-header" },
    element(
      "div",
      { class: "details-line" },
      element("button", { type: "button", class: "back", on: { click: actions.close } }, icon("back"), "Events"),
      element("span", { class: "kind" }, isolated(record.type || "no type", 20)),
      ...badges,
      element("span", { class: "number" }, `#${record.seq.toLocaleString("en")}`),
    ),
    element("h2", { tabindex: "-1" }, isolated(title(record), 300)),
    element(
      "div",
      { class: "details-actions" },
      ...(record.assertion === null ? [] : [button("Copy assertion", "copy", () => actions.copyAssertion(entry))]),
      button("Copy JSON", "braces", () => actions.copyJson(entry)),
      button(compares.text, "compare", compares.work),
    ),
  );
}

/**
 * @param {string} text
 * @param {string} name of the icon
 * @param {() => void} work
 */
function button(text, name, work) {
  return element("button", { type: "button", on: { click: work } }, icon(name), text);
}

/**
 * @param {EventRecord} record
 * @param {Record<string, string>} origins
 */
function provenance({ envelope: sent, scope }, origins) {
  const rows = Object.entries(origins)
    .slice(0, 200)
    .map(([field, origin]) => {
      return element("tr", {}, element("th", { scope: "row" }, isolated(field, 120)), element("td", {}, isolated(origin, 300)), element("td", {}, ...valueOf(sent, scope, field)));
    });
  const head = ["Field", "Came from", "Value"].map((name) => element("th", { scope: "col" }, name));
  return section("Provenance", element("table", { class: "provenance" }, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)));
}

/**
 * The value that a field has in a message: that of a scope, or the one under the field's name.
 * @param {Record<string, any>} sent
 * @param {Record<string, any>} scope
 * @param {string} field
 */
function valueOf(sent, scope, field) {
  /** @type {Record<string, string>} */
  const keys = { user_id: "userId", anonymous_id: "anonymousId", group_id: "groupId", previous_id: "previousId" };
  for (const place of [sent, scope, sent.properties, sent.traits]) {
    const key = place === sent ? keys[field] : field;
    if (place !== null && typeof place === "object" && key !== undefined && Object.hasOwn(place, key)) {
      const value = place[key];
      return [element("code", {}, isolated(value !== null && typeof value === "object" ? "…" : String(value), 120))];
    }
  }
  return [];
}

/** @param {EventRecord} record */
function envelope({ envelope: sent, violations }) {
  /** @type {Map<string, string[]>} */
  const reasons = new Map();
  for (const { path, reason } of violations) if (path) reasons.set(path, [...(reasons.get(path) ?? []), reason]);
  const onTheWay = new Set([...reasons.keys()].flatMap(ancestors));
  const opens = (/** @type {string} */ path, /** @type {number} */ depth) => onTheWay.has(path) || (depth <= 2 && !CLOSED.has(path));
  return section("Envelope", jsonTree(sent, { reasons, opens }));
}

/** @param {string} path */
function ancestors(path) {
  const names = path.split(".").slice(0, 50);
  return names.map((_, index) => names.slice(0, index).join(".")).slice(1);
}

/**
 * @param {Entry} entry
 * @param {string} source
 * @param {Actions} actions
 */
function assertion(entry, source, actions) {
  const copy = button("Copy", "copy", () => actions.copyAssertion(entry));
  return section("Assertion for a test", copy, element("pre", { class: "assertion", tabindex: "0", "aria-label": "Assertion" }, expandable(source, 4000, 8000, true)));
}

/**
 * @param {Entry} entry
 * @param {Entry[]} related
 * @param {Actions} actions
 */
function request(entry, related, actions) {
  const start = related[0].at;
  const lines = related.slice(0, MOST_RELATED).map((each) => {
    const status = markOf(each.record.status);
    const inside = [
      element("span", { class: "offset" }, `+${lasting(each.at - start)}`),
      element("span", { class: `status mark-${status.mark}` }, icon(status.icon), element("span", { class: "unseen" }, status.label)),
      element("span", { class: "row-title" }, isolated(title(each.record), 100)),
    ];
    if (each === entry) return element("li", {}, element("span", { class: "related", "aria-current": "true" }, ...inside));
    return element("li", {}, element("button", { type: "button", class: "related", on: { click: () => actions.open(each.seq) } }, ...inside));
  });
  const rest = related.length > MOST_RELATED ? [element("p", { class: "card-facts" }, `and ${(related.length - MOST_RELATED).toLocaleString("en")} more`)] : [];
  return section("The same request", element("ol", { class: "relateds" }, ...lines), ...rest);
}

/**
 * @param {string} name
 * @param {...Node} children
 */
function section(name, ...children) {
  return element("section", { class: "part" }, element("h3", {}, name), ...children);
}
