/**
 * Text of strangers, made visible: what has no glyph of its own, or turns the direction of what follows, is spelled out.
 */

import { element } from "./dom.js";

/** Controls, formats (bidirectional ones too), separators, lone surrogates, private use, and spaces that look like others. */
const HIDDEN = /\n|([\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\u00a0\u2000-\u200a\u202f\u205f\u3000])\1*/gu;

/** @type {Record<string, string>} */
const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0" };

/** @param {string} character */
function spelling(character) {
  const code = /** @type {number} */ (character.codePointAt(0));
  return SHORT[character] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** @param {string} run the same character, once or more */
function spellingOfRun(run) {
  const character = String.fromCodePoint(/** @type {number} */ (run.codePointAt(0)));
  const times = run.length / character.length;
  return times === 1 ? spelling(character) : `${spelling(character)}×${times.toLocaleString("en")}`;
}

/**
 * Cut a text, never through a character.
 * @param {string} text
 * @param {number} limit in UTF-16 units
 */
export function cut(text, limit) {
  if (text.length <= limit) return text;
  const splits = /[\ud800-\udbff]/.test(text[limit - 1]) && /[\udc00-\udfff]/.test(text[limit]);
  return text.slice(0, splits ? limit - 1 : limit);
}

/**
 * A text for one line, or for an attribute: shortened, everything visible.
 * @param {string} text
 * @param {number} limit
 */
export function spelled(text, limit = 200) {
  const short = cut(text, limit);
  return short.replace(HIDDEN, (run) => `‹${spellingOfRun(run)}›`) + (short.length < text.length ? "…" : "");
}

/**
 * A text as nodes, where each hidden character is a mark that cannot be taken for text.
 * @param {string} text
 * @param {boolean} inLines whether ends of lines are no surprise
 * @returns {Node[]}
 */
export function visible(text, inLines = false) {
  /** @type {Node[]} */
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match.index > end) nodes.push(document.createTextNode(text.slice(end, match.index)));
    const endsLine = match[0] === "\n";
    if (!endsLine || !inLines) nodes.push(element("span", { class: "hidden-character" }, spellingOfRun(match[0])));
    if (endsLine) nodes.push(document.createTextNode("\n"));
    end = match.index + match[0].length;
  }
  if (end < text.length) nodes.push(document.createTextNode(text.slice(end)));
  return nodes;
}

/**
 * A text in an element that keeps its direction to itself.
 * @param {string} text
 * @param {number} limit
 */
export function isolated(text, limit = 200) {
  const short = cut(text, limit);
  const made = element("bdi", {}, ...visible(short));
  if (short.length < text.length) made.append("…");
  return made;
}

/**
 * A path with dots, which may be broken after each of them.
 * @param {string} path
 */
export function dotted(path) {
  const parts = cut(path, 200).split(".");
  const broken = parts.flatMap((part, index) => [...visible(index + 1 < parts.length ? `${part}.` : part), element("wbr")]);
  return element("bdi", {}, ...broken.slice(0, -1));
}

/**
 * A text of any length: its beginning, and a button for more.
 * @param {string} text
 * @param {number} first how much is shown at once
 * @param {number} step how much a press adds
 * @param {boolean} inLines whether ends of lines are no surprise
 */
export function expandable(text, first = 400, step = 8000, inLines = false) {
  const made = element("bdi", {});
  let shown = 0;
  const more = element("button", { type: "button", class: "more", on: { click: () => show(step) } });

  /** @param {number} count */
  function show(count) {
    const next = cut(text.slice(shown), count);
    more.remove();
    made.append(...visible(next, inLines));
    shown += next.length;
    if (shown === text.length) return;
    more.textContent = `${(text.length - shown).toLocaleString("en")} more characters`;
    made.append(more);
  }

  show(first);
  return made;
}
