/** The timeline: a card for each request or user, with its events on a line of time. */

import { element, icon } from "./dom.js";
import { grouped } from "./groups.js";
import { markOf, title } from "./records.js";
import { clock, lasting } from "./times.js";
import { isolated } from "./text.js";

/** @typedef {import("./records.js").Entry} Entry */
/** @typedef {import("./groups.js").Group} Group */

const MOST_CARDS = 15;
const MOST_EVENTS = 12;
const MOST_WHEN_WHOLE = 300;

export class Timeline {
  #box;
  #chosen;
  /** @type {Map<string, {signature: string, card: HTMLElement}>} */
  #cards = new Map();
  /** @type {Set<string>} the groups that are shown whole */
  #whole = new Set();
  #cardsAllowed = MOST_CARDS;
  /** @type {Entry[]} */
  #entries = [];
  /** @type {"request" | "user"} */
  #by = "request";
  /** @type {number | null} */
  #active = null;

  /**
   * @param {HTMLElement} box
   * @param {object} listeners
   * @param {(entry: Entry) => void} listeners.chosen
   * @param {() => void} listeners.scrolled
   */
  constructor(box, { chosen, scrolled }) {
    this.#box = box;
    this.#chosen = chosen;
    box.addEventListener("scroll", scrolled);
    box.addEventListener("keydown", (event) => this.#onKey(event));
  }

  get isAtTop() {
    return this.#box.scrollTop <= 1;
  }

  toTop() {
    this.#box.scrollTop = 0;
  }

  focus() {
    this.#box.querySelector("button")?.focus();
  }

  /** @param {number} steps how far down */
  move(steps) {
    const all = /** @type {HTMLElement[]} */ ([...this.#box.querySelectorAll("[data-seq]")]);
    const active = all.findIndex((each) => each.dataset.seq === String(this.#active));
    const reached = all[active === -1 ? 0 : active + steps];
    reached?.focus();
    reached?.click();
  }

  /** @param {number | null} active */
  mark(active) {
    this.#active = active;
    for (const each of this.#box.querySelectorAll("[data-seq]")) {
      each.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (each).dataset.seq === String(active)));
    }
  }

  /**
   * @param {Entry[]} entries oldest first
   * @param {"request" | "user"} by
   */
  show(entries, by) {
    this.#entries = entries;
    this.#by = by;
    const { groups, loose } = grouped(entries, by);
    const shown = groups.slice(0, this.#cardsAllowed);
    const kept = new Map(shown.map((group) => [group.key, this.#cardOf(group)]));
    this.#cards = kept;
    const cards = [...kept.values()].map(({ card }) => card);
    this.#place([...cards, ...this.#rest(groups.length - shown.length, loose)]);
  }

  /** @param {HTMLElement[]} parts moved only where they are not there yet, so that the focus stays */
  #place(parts) {
    const focused = this.#box.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.seq : undefined;
    parts.forEach((part, index) => {
      if (this.#box.children[index] !== part) this.#box.insertBefore(part, this.#box.children[index] ?? null);
    });
    while (this.#box.children.length > parts.length) this.#box.lastElementChild?.remove();
    if (focused !== undefined && !this.#box.contains(document.activeElement)) {
      /** @type {HTMLElement | null} */ (this.#box.querySelector(`[data-seq="${focused}"]`))?.focus();
    }
  }

  /** @param {Group} group */
  #cardOf(group) {
    const first = group.entries[0].seq;
    const signature = [this.#by, first, group.entries.length, group.entries[group.entries.length - 1].seq, this.#whole.has(group.key)].join();
    const before = this.#cards.get(group.key);
    return before?.signature === signature ? before : { signature, card: this.#draw(group) };
  }

  /** @param {Group} group */
  #draw(group) {
    const { entries, key, start, length } = group;
    const most = this.#whole.has(key) ? MOST_WHEN_WHOLE : MOST_EVENTS;
    const hidden = Math.max(0, entries.length - most);
    const problems = entries.filter(({ record }) => record.status !== "valid").length;
    const users = this.#by === "request" ? new Set(entries.map(({ record }) => record.user)) : new Set();
    const heading = element(
      "h3",
      {},
      element("span", { class: "card-by" }, this.#by),
      isolated(key, 60),
      ...named(users),
    );
    const facts = element(
      "p",
      { class: "card-facts" },
      `${entries.length.toLocaleString("en")} ${entries.length === 1 ? "event" : "events"} · from ${clock(start)} · ${lasting(length)}`,
      ...(problems === 0 ? [] : [" · ", element("span", { class: "wrong" }, `${problems.toLocaleString("en")} with a problem`)]),
    );
    const lines = entries.slice(hidden).map((entry) => this.#line(entry, group));
    const card = element("section", { class: "card" }, element("header", {}, heading, facts));
    if (hidden > 0) card.append(this.#more(key, hidden, most < MOST_WHEN_WHOLE));
    card.append(element("ol", {}, ...lines));
    return card;
  }

  /**
   * @param {Entry} entry
   * @param {Group} group
   */
  #line(entry, { start, length }) {
    const { record, seq, at } = entry;
    const status = markOf(record.status);
    const share = length > 0 ? (at - start) / length : 0;
    const point = element("span", { class: "lane-point" });
    point.style.left = `${100 * share}%`;
    const lane = element("span", { class: `lane mark-${status.mark}`, "aria-hidden": "true" }, point);
    const button = element(
      "button",
      { type: "button", class: "timeline-event", "data-seq": seq, "aria-pressed": String(seq === this.#active), on: { click: () => this.#chosen(entry) } },
      element("span", { class: "offset" }, `+${lasting(at - start)}`),
      element("span", { class: `status mark-${status.mark}` }, icon(status.icon), element("span", { class: "unseen" }, status.label)),
      element("span", { class: "row-title" }, isolated(title(record), 100)),
    );
    button.append(lane);
    return element("li", {}, button);
  }

  /**
   * @param {string} key
   * @param {number} hidden
   * @param {boolean} canShow
   */
  #more(key, hidden, canShow) {
    const text = `${hidden.toLocaleString("en")} earlier`;
    if (!canShow) return element("p", { class: "card-facts" }, `${text}: filter by this ${this.#by} to see them`);
    const show = () => {
      this.#whole.add(key);
      this.show(this.#entries, this.#by);
    };
    return element("button", { type: "button", class: "more", on: { click: show } }, text);
  }

  /**
   * @param {number} hidden
   * @param {number} loose
   */
  #rest(hidden, loose) {
    const parts = [];
    if (hidden > 0) {
      const show = () => {
        this.#cardsAllowed += MOST_CARDS;
        this.show(this.#entries, this.#by);
      };
      const text = `${hidden.toLocaleString("en")} more ${this.#by === "request" ? "requests" : "users"}`;
      parts.push(element("button", { type: "button", class: "more", on: { click: show } }, text));
    }
    if (loose > 0) {
      const why = this.#by === "request" ? "clients tell it in debug mode" : "they name nobody";
      const text = `${loose.toLocaleString("en")} ${loose === 1 ? "event has" : "events have"} no ${this.#by}: ${why}.`;
      parts.push(element("p", { class: "card-facts" }, text));
    }
    return parts;
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const all = /** @type {HTMLElement[]} */ ([...this.#box.querySelectorAll("button")]);
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    all[at + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
    event.preventDefault();
  }
}

/** @param {Set<string | null>} users */
function named(users) {
  const [first] = users;
  if (users.size === 0 || (users.size === 1 && first === null)) return [];
  if (users.size > 1) return [element("span", { class: "card-by" }, `${users.size.toLocaleString("en")} users`)];
  return [element("span", { class: "card-by" }, "user"), isolated(String(first), 40)];
}
