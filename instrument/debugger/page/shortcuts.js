/** Single keys that do what buttons do, unless somebody types, or has switched them off. */

import { keep, kept } from "./choices.js";
import { element } from "./dom.js";

/**
 * @typedef {object} Shortcut
 * @property {string[]} keys
 * @property {string} does
 * @property {() => void} [work] missing where another part of the page listens to the keys
 */

/**
 * @param {Shortcut[]} shortcuts
 * @param {HTMLTableSectionElement} table where they are listed
 * @param {HTMLInputElement} enabled
 */
export function startShortcuts(shortcuts, table, enabled) {
  table.replaceChildren(
    ...shortcuts.map(({ keys, does }) => {
      const named = keys.flatMap((key, index) => [...(index > 0 ? [" or "] : []), element("kbd", {}, key)]);
      return element("tr", {}, element("th", { scope: "row" }, ...named), element("td", {}, does));
    }),
  );
  enabled.checked = kept("shortcuts", "on") === "on";
  enabled.addEventListener("change", () => keep("shortcuts", enabled.checked ? "on" : "off"));
  const works = new Map(shortcuts.flatMap(({ keys, work }) => (work ? keys.map((key) => [key, work]) : [])));
  document.addEventListener("keydown", (event) => {
    const work = works.get(event.key === "Escape" ? "Esc" : event.key);
    if (work === undefined || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    if (isTyping(event.target) || (event.key !== "Escape" && !enabled.checked)) return;
    if (document.querySelector("dialog[open]")) return;
    event.preventDefault();
    work();
  });
}

/** @param {EventTarget | null} target */
function isTyping(target) {
  return target instanceof HTMLElement && target.matches("input, select, textarea");
}
