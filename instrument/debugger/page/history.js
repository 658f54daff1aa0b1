/** The last events, bounded in number and size, and how many each mark has. */

/** @typedef {import("./records.js").Entry} Entry */

const MOST_ENTRIES = 10_000;
/** In characters of the text that is searched, which is the larger half of what an event holds. */
const MOST_TEXT = 48_000_000;
/** How many more than the bound may be kept for a while, so that room is made for many at once. */
const SLACK = 500;

export class History {
  /** @type {Entry[]} oldest first */
  entries = [];
  /** How many were let go to make room. */
  forgotten = 0;
  /** @type {Map<string, number>} how many have a mark */
  counts = new Map();
  #text = 0;

  /** @param {Entry[]} entries newer than all that are here, oldest first */
  add(entries) {
    for (const entry of entries) {
      this.entries.push(entry);
      this.#text += entry.text.length;
      this.#count(entry, 1);
    }
    this.#makeRoom();
  }

  clear() {
    this.entries = [];
    this.counts.clear();
    this.forgotten = this.#text = 0;
  }

  /** The number of the oldest event that is still here. */
  get oldest() {
    return this.entries.length === 0 ? Infinity : this.entries[0].seq;
  }

  /** @param {number} seq */
  find(seq) {
    const index = indexOf(this.entries, seq);
    return this.entries[index]?.seq === seq ? this.entries[index] : null;
  }

  #makeRoom() {
    if (this.entries.length <= MOST_ENTRIES + SLACK && this.#text <= MOST_TEXT) return;
    let gone = 0;
    while (gone < this.entries.length - 1 && (this.entries.length - gone > MOST_ENTRIES || this.#text > MOST_TEXT)) {
      this.#text -= this.entries[gone].text.length;
      this.#count(this.entries[gone], -1);
      gone += 1;
    }
    this.entries.splice(0, gone);
    this.forgotten += gone;
  }

  /**
   * @param {Entry} entry
   * @param {1 | -1} by
   */
  #count({ marks }, by) {
    for (const mark of marks) this.counts.set(mark, (this.counts.get(mark) ?? 0) + by);
  }
}

/**
 * The index of the first entry whose number is not smaller.
 * @param {Entry[]} entries oldest first
 * @param {number} seq
 */
export function indexOf(entries, seq) {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries[middle].seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
