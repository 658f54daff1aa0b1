/** JSON as a tree that opens where it is asked to. What is closed costs nothing, however deep or long it is. */

import { element, icon } from "./dom.js";
import { expandable, isolated } from "./text.js";

const MOST_AT_ONCE = 100;
/** What is opened at first is opened only as far as this many lines go. */
const MOST_OPENED = 400;

/**
 * @typedef {object} Look
 * @property {Map<string, string[]>} reasons what is wrong, by path
 * @property {(path: string, depth: number) => boolean} opens whether a branch is open at first
 */

/**
 * @param {any} value
 * @param {Look} look
 * @returns {HTMLElement}
 */
export function jsonTree(value, look) {
  const budget = { lines: MOST_OPENED };
  const tree = element("div", { class: "tree" }, branch(value, "", 0, look, budget));
  tree.addEventListener("keydown", onKey);
  return tree;
}

/**
 * @param {Record<string, any> | any[]} value
 * @param {string} path
 * @param {number} depth
 * @param {Look} look
 * @param {{lines: number}} budget
 */
function branch(value, path, depth, look, budget) {
  const names = Array.isArray(value) ? null : Object.keys(value);
  const length = names === null ? value.length : names.length;
  const list = element("ul", {});
  let shown = 0;
  const more = element("button", { type: "button", class: "more", on: { click: () => show({ lines: MOST_AT_ONCE }) } });
  const last = element("li", {}, more);

  /** @param {{lines: number}} allowed */
  function show(allowed) {
    const end = Math.min(length, shown + MOST_AT_ONCE);
    last.remove();
    for (; shown < end; shown += 1) {
      const name = names === null ? String(shown) : names[shown];
      allowed.lines -= 1;
      const part = /** @type {any} */ (value)[name];
      list.append(line(name, part, path === "" ? name : `${path}.${name}`, depth + 1, look, allowed));
    }
    if (shown === length) return;
    more.textContent = `${(length - shown).toLocaleString("en")} more`;
    list.append(last);
  }

  show(budget);
  const missing = [...look.reasons].filter(([each]) => parentOf(each) === path && !Object.hasOwn(value, nameOf(each)));
  for (const [each, reasons] of missing) {
    list.append(element("li", { class: "violating", "data-path": each }, element("span", { class: "leaf" }, keyed(nameOf(each)), element("span", { class: "size" }, "missing")), ...wrongs(reasons)));
  }
  return list;
}

/** @param {string} path */
function parentOf(path) {
  return path.includes(".") ? path.slice(0, path.lastIndexOf(".")) : "";
}

/** @param {string} path */
function nameOf(path) {
  return path.slice(path.lastIndexOf(".") + 1);
}

/** @param {string} name */
function keyed(name) {
  return element("span", { class: "key" }, isolated(name, 200));
}

/** @param {string[]} reasons */
function wrongs(reasons) {
  return reasons.map((reason) => element("span", { class: "tree-reason" }, icon("cross"), isolated(reason, 400)));
}

/**
 * @param {string} name
 * @param {any} value
 * @param {string} path
 * @param {number} depth
 * @param {Look} look
 * @param {{lines: number}} budget
 */
function line(name, value, path, depth, look, budget) {
  const reasons = look.reasons.get(path) ?? [];
  const key = keyed(name);
  const wrong = wrongs(reasons);
  const item = element("li", { class: reasons.length > 0 ? "violating" : null, "data-path": depth < 12 ? path : null });
  if (value === null || typeof value !== "object" || isEmpty(value)) {
    item.append(element("span", { class: "leaf" }, key, leaf(value)), ...wrong);
    return item;
  }
  /** @type {HTMLElement | null} */
  let inside = null;
  const toggle = element("button", { type: "button", class: "toggle", "aria-expanded": "false" });
  toggle.append(icon("chevron"), key, element("span", { class: "size" }, size(value)));

  /** @param {boolean} open @param {{lines: number}} allowed */
  function set(open, allowed) {
    toggle.setAttribute("aria-expanded", String(open));
    if (open && inside === null) item.append((inside = branch(value, path, depth, look, allowed)));
    if (inside !== null) inside.hidden = !open;
  }

  toggle.addEventListener("click", () => set(toggle.getAttribute("aria-expanded") === "false", { lines: 0 }));
  item.append(toggle, ...wrong);
  if (budget.lines > 0 && look.opens(path, depth)) set(true, budget);
  return item;
}

/** @param {any} value */
function leaf(value) {
  if (typeof value === "string") return element("span", { class: "string" }, expandable(value));
  if (typeof value === "number") return element("span", { class: "number" }, String(value));
  if (value === null || typeof value === "boolean") return element("span", { class: "word" }, String(value));
  return element("span", { class: "size" }, size(value));
}

/** @param {object} value */
function isEmpty(value) {
  return Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0;
}

/** @param {object} value */
function size(value) {
  const [count, one, many, [open, close]] = Array.isArray(value)
    ? [value.length, "item", "items", "[]"]
    : [Object.keys(value).length, "field", "fields", "{}"];
  return count === 0 ? open + close : `${open} ${count.toLocaleString("en")} ${count === 1 ? one : many} ${close}`;
}

/**
 * Open and close by the arrows to the sides, go by those up and down.
 * @param {KeyboardEvent} event
 */
function onKey(event) {
  const at = /** @type {HTMLElement} */ (event.target);
  const tree = /** @type {HTMLElement} */ (event.currentTarget);
  if (event.key === "ArrowRight" && at.getAttribute("aria-expanded") === "false") at.click();
  else if (event.key === "ArrowLeft" && at.getAttribute("aria-expanded") === "true") at.click();
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const all = [...tree.querySelectorAll("button")].filter((each) => each.offsetParent !== null);
    all[all.indexOf(/** @type {HTMLButtonElement} */ (at)) + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
  } else return;
  event.preventDefault();
  event.stopPropagation();
}
