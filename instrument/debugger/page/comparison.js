/** Two events side by side: the fields that differ. */

import { compare } from "./differences.js";
import { element } from "./dom.js";
import { title } from "./records.js";
import { dotted, expandable, isolated } from "./text.js";

/** @typedef {import("./records.js").Entry} Entry */

const MOST_ROWS = 200;

/**
 * @param {Entry} left
 * @param {Entry} right
 */
export function comparison(left, right) {
  const { differences, equal, whole } = compare(left.record.envelope, right.record.envelope);
  const head = [element("th", { scope: "col" }, "Field"), heading(left), heading(right)];
  const rows = differences.slice(0, MOST_ROWS).map((each) => {
    const kind = each.left === undefined ? "added" : each.right === undefined ? "removed" : "changed";
    return element("tr", { class: kind }, element("th", { scope: "row" }, dotted(each.path)), cell(each.left), cell(each.right));
  });
  const many = differences.length === 1 ? "One field differs" : `${differences.length.toLocaleString("en")} fields differ`;
  const shown = differences.length > MOST_ROWS ? `; shown are the first ${MOST_ROWS}` : "";
  const partly = whole ? "" : " The messages are too large to be compared whole.";
  return element(
    "section",
    { class: "part comparison", "aria-label": "Comparison" },
    element("h3", {}, "Compared"),
    element("p", { class: "card-facts" }, `${many}, ${equal.toLocaleString("en")} are equal${shown}.${partly}`),
    element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)),
  );
}

/** @param {Entry} entry */
function heading({ seq, record }) {
  return element("th", { scope: "col" }, `#${seq.toLocaleString("en")} `, isolated(title(record), 60));
}

/** @param {string | undefined} value */
function cell(value) {
  if (value === undefined) return element("td", { class: "missing" }, "missing");
  return element("td", {}, element("code", {}, expandable(value, 200)));
}
