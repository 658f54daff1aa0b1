/** Events put together: those of one request, or of one user. */

/** @typedef {import("./records.js").Entry} Entry */

/**
 * @typedef {object} Group
 * @property {string} key
 * @property {Entry[]} entries oldest first
 * @property {number} start in milliseconds
 * @property {number} length in milliseconds
 */

/**
 * @param {Entry[]} entries oldest first
 * @param {"request" | "user"} by
 * @returns {{groups: Group[], loose: number}} the group that had an event last comes first; `loose` are those without the field
 */
export function grouped(entries, by) {
  /** @type {Map<string, Entry[]>} */
  const found = new Map();
  let loose = 0;
  for (let index = entries.length - 1; index >= 0; index -= 1) {
    const key = entries[index].record[by];
    if (key === null) loose += 1;
    else if (found.has(key)) found.get(key)?.push(entries[index]);
    else found.set(key, [entries[index]]);
  }
  const groups = [...found].map(([key, newestFirst]) => group(key, newestFirst.reverse()));
  return { groups, loose };
}

/**
 * @param {string} key
 * @param {Entry[]} entries
 * @returns {Group}
 */
function group(key, entries) {
  let [start, end] = [Infinity, -Infinity];
  for (const { at } of entries) {
    start = Math.min(start, at);
    end = Math.max(end, at);
  }
  return { key, entries, start, length: end - start };
}
