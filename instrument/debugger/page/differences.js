/** Which fields of two messages differ. */

/**
 * @typedef {object} Difference
 * @property {string} path
 * @property {string | undefined} left as JSON; missing where only the other has the field
 * @property {string | undefined} right
 */

const MOST_LEAVES = 5000;

/**
 * @param {any} left
 * @param {any} right
 * @returns {{differences: Difference[], equal: number, whole: boolean}} `whole` is false where they are too large to be compared whole
 */
export function compare(left, right) {
  const [before, after] = [leaves(left), leaves(right)];
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort((one, other) => rank(one) - rank(other) || (one < other ? -1 : 1));
  const differences = paths
    .map((path) => ({ path, left: before.get(path), right: after.get(path) }))
    .filter((each) => each.left !== each.right);
  const whole = before.size < MOST_LEAVES && after.size < MOST_LEAVES;
  return { differences, equal: paths.length - differences.length, whole };
}

/**
 * What a message says comes first, what differs in nearly every message last.
 * @param {string} path
 */
function rank(path) {
  const [head] = path.split(".", 1);
  return ["properties", "traits"].includes(head) ? 0 : ["messageId", "timestamp", "context"].includes(head) ? 2 : 1;
}

/**
 * The values of a message by path, as JSON.
 * @param {any} value
 * @returns {Map<string, string>}
 */
function leaves(value) {
  /** @type {Map<string, string>} */
  const found = new Map();
  /** @type {[string, any][]} no recursion: it may be nested deeply */
  const todo = [["", value]];
  while (todo.length > 0 && found.size < MOST_LEAVES) {
    const [path, each] = /** @type {[string, any]} */ (todo.pop());
    const inside = each !== null && typeof each === "object" ? Object.entries(each) : [];
    if (inside.length === 0) found.set(path, JSON.stringify(each));
    for (const [name, part] of inside) todo.push([path === "" ? name : `${path}.${name}`, part]);
  }
  return found;
}
