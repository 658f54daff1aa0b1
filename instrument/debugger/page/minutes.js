/** How many events came in each of the last minutes, and how many of them had a problem. */

/** @typedef {{total: number, problems: number}} Minute */

export const MINUTES = 30;
const LENGTH = 60_000;

export class Minutes {
  /** @type {Map<number, Minute>} */
  #minutes = new Map();

  /** @param {import("./records.js").Entry} entry */
  add(entry) {
    const number = Math.floor(entry.received / LENGTH);
    const minute = this.#minutes.get(number) ?? { total: 0, problems: 0 };
    minute.total += 1;
    if (entry.record.status !== "valid") minute.problems += 1;
    this.#minutes.set(number, minute);
    if (this.#minutes.size > 2 * MINUTES) this.#minutes.delete(Math.min(...this.#minutes.keys()));
  }

  clear() {
    this.#minutes.clear();
  }

  /**
   * The last minutes, the current one last.
   * @param {number} now in milliseconds
   * @returns {Minute[]}
   */
  until(now) {
    const current = Math.floor(now / LENGTH);
    return Array.from({ length: MINUTES }, (_, index) => {
      return this.#minutes.get(current - MINUTES + 1 + index) ?? { total: 0, problems: 0 };
    });
  }
}
