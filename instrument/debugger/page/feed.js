/** What the views show: the events that match, and, while somebody reads further down, none that came since. */

import { indexOf } from "./history.js";

/** @typedef {import("./records.js").Entry} Entry */

export class Feed {
  #history;
  #matches = (/** @type {Entry} */ _) => true;
  /** @type {Entry[]} */
  #matching = [];
  /** @type {Entry[] | null} */
  #held = null;

  /** @param {import("./history.js").History} history */
  constructor(history) {
    this.#history = history;
  }

  /** The events to show, oldest first. */
  get shown() {
    return this.#held ?? this.#matching;
  }

  get paused() {
    return this.#held !== null;
  }

  /** How many came since the pause. */
  get newer() {
    if (this.#held === null) return 0;
    const last = this.#held.length === 0 ? 0 : this.#held[this.#held.length - 1].seq;
    return this.#matching.length - indexOf(this.#matching, last + 1);
  }

  /** @param {Entry[]} entries that the history was given */
  add(entries) {
    for (const entry of entries) if (this.#matches(entry)) this.#matching.push(entry);
    const gone = indexOf(this.#matching, this.#history.oldest);
    if (gone > 0) this.#matching.splice(0, gone);
  }

  /** @param {(entry: Entry) => boolean} matches */
  filter(matches) {
    this.#matches = matches;
    this.#matching = this.#history.entries.filter(matches);
    if (this.#held !== null) this.#held = this.#matching.slice();
  }

  pause() {
    this.#held ??= this.#matching.slice();
  }

  resume() {
    this.#held = null;
  }

  clear() {
    this.#matching = [];
    if (this.#held !== null) this.#held = [];
  }
}
