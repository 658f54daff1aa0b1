/** What is the matter with an event. */

import { element, icon } from "./dom.js";
import { markOf } from "./records.js";
import { expandable, isolated } from "./text.js";

/** @typedef {import("./details.js").Actions} Actions */
/** @typedef {import("./records.js").EventRecord} EventRecord */

const MOST_VIOLATIONS = 50;

/**
 * @param {EventRecord} record
 * @param {Actions} actions
 */
export function problems({ status, violations, reason, duplicate_of, late }, actions) {
  const parts = [];
  if (status === "refused" || status === "dropped") {
    const what = status === "refused" ? "The client refused it, and it was never sent." : "The client accepted it, and no destination will get it.";
    parts.push(banner(status, what, ...(reason ? [element("p", {}, isolated(reason, 1000))] : [])));
  }
  if (status === "unknown") {
    parts.push(banner("unknown", "No class that was loaded declares it.", ...(reason ? [element("p", {}, isolated(reason, 1000))] : [])));
  }
  if (violations.length > 0) {
    const lines = violations.slice(0, MOST_VIOLATIONS).map(({ path, reason: why }) => {
      return element("li", {}, element("code", {}, path ? isolated(path, 300) : "the message"), " ", expandable(why, 600));
    });
    const count = violations.length === 1 ? "It breaks the plan in one place." : `It breaks the plan in ${violations.length} places.`;
    const rest = violations.length > MOST_VIOLATIONS ? [element("p", {}, `Shown are the first ${MOST_VIOLATIONS}.`)] : [];
    parts.push(banner("invalid", count, element("ul", { class: "violations" }, ...lines), ...rest));
  }
  if (duplicate_of !== null) {
    const first = element("button", { type: "button", class: "link", on: { click: () => actions.open(duplicate_of) } }, `#${duplicate_of.toLocaleString("en")}`);
    parts.push(banner("duplicate", "It has the id of an earlier message; receivers drop it.", element("p", {}, "The first is ", first, ".")));
  }
  if (late) parts.push(banner("late", "It began after its request had ended, and is not given that request's ids."));
  return parts;
}

/**
 * @param {string} mark
 * @param {string} what
 * @param {...Node} more
 */
function banner(mark, what, ...more) {
  return element(
    "div",
    { class: `banner mark-${mark}` },
    icon(markOf(mark).icon),
    element("div", {}, element("p", { class: "banner-what" }, element("b", {}, `${markOf(mark).label}. `), what), ...more),
  );
}
