/** The list of events, newest on top. Only the rows that can be seen are elements, however many events there are. */

import { element, icon } from "./dom.js";
import { indexOf } from "./history.js";
import { markOf, title } from "./records.js";
import { clock } from "./times.js";
import { isolated, spelled } from "./text.js";

/** @typedef {import("./records.js").Entry} Entry */

const ROW = 52;
const SPARE = 6;

export class EventList {
  #box;
  #sizer = element("div", { class: "sizer", role: "presentation" });
  /** @type {Map<Entry, HTMLElement>} by its event, since a debugger that comes back counts from the beginning */
  #rows = new Map();
  #chosen;
  /** @type {Entry[]} oldest first */
  #entries = [];
  /** @type {number | null} the event that the keyboard is at */
  #active = null;
  /** @type {number | null} the event that is compared with others */
  #pinned = null;

  /**
   * @param {HTMLElement} box the listbox, which scrolls
   * @param {object} listeners
   * @param {(entry: Entry, opened: boolean) => void} listeners.chosen an event was gone to, or opened
   * @param {() => void} listeners.scrolled
   */
  constructor(box, { chosen, scrolled }) {
    this.#box = box;
    this.#chosen = chosen;
    box.append(this.#sizer);
    box.addEventListener("scroll", () => {
      scrolled();
      this.#draw();
    });
    box.addEventListener("keydown", (event) => this.#onKey(event));
    box.addEventListener("click", (event) => this.#onClick(event));
    new ResizeObserver(() => this.#draw()).observe(box);
  }

  get isAtTop() {
    return this.#box.scrollTop <= 1;
  }

  /** @param {Entry[]} entries oldest first */
  show(entries) {
    this.#entries = entries;
    this.#draw();
  }

  /**
   * @param {number | null} active
   * @param {number | null} pinned
   */
  mark(active, pinned) {
    this.#active = active;
    this.#pinned = pinned;
    this.#draw();
  }

  toTop() {
    this.#box.scrollTop = 0;
    this.#draw();
  }

  focus() {
    this.#box.focus();
  }

  /** @param {number} steps how far down */
  move(steps) {
    if (this.#entries.length === 0) return;
    const current = this.#positionOfActive();
    this.#goTo(current === null ? 0 : current + steps);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.#box.clientHeight / ROW) - 1);
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowDown: () => this.move(1),
      ArrowUp: () => this.move(-1),
      PageDown: () => this.move(page),
      PageUp: () => this.move(-page),
      Home: () => this.#goTo(0),
      End: () => this.#goTo(Infinity),
      Enter: () => this.#open(),
      " ": () => this.#open(),
    };
    if (!Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    const clicked = /** @type {Element} */ (event.target).closest("[data-seq]");
    if (!(clicked instanceof HTMLElement)) return;
    const entry = this.#entries[indexOf(this.#entries, Number(clicked.dataset.seq))];
    if (entry) this.#chosen(entry, true);
  }

  #open() {
    const position = this.#positionOfActive();
    if (position !== null) this.#chosen(this.#at(position), true);
  }

  /** @param {number} position */
  #goTo(position) {
    if (this.#entries.length === 0) return;
    const reached = Math.min(Math.max(position, 0), this.#entries.length - 1);
    const top = reached * ROW;
    const height = this.#box.clientHeight;
    if (top < this.#box.scrollTop) this.#box.scrollTop = top;
    else if (top + ROW > this.#box.scrollTop + height) this.#box.scrollTop = top + ROW - height;
    this.#chosen(this.#at(reached), false);
  }

  /** @param {number} position from the top */
  #at(position) {
    return this.#entries[this.#entries.length - 1 - position];
  }

  #positionOfActive() {
    if (this.#active === null) return null;
    const index = indexOf(this.#entries, this.#active);
    if (this.#entries[index]?.seq !== this.#active) return null;
    return this.#entries.length - 1 - index;
  }

  #draw() {
    const count = this.#entries.length;
    this.#sizer.style.height = `${count * ROW}px`;
    const first = Math.max(0, Math.floor(this.#box.scrollTop / ROW) - SPARE);
    const last = Math.min(count, Math.ceil((this.#box.scrollTop + this.#box.clientHeight) / ROW) + SPARE);
    this.#place(first, last);
    const active = this.#active === null ? null : this.#sizer.querySelector(`[data-seq="${this.#active}"]`);
    if (active) this.#box.setAttribute("aria-activedescendant", active.id);
    else this.#box.removeAttribute("aria-activedescendant");
  }

  /**
   * Have the rows of these positions, and no others, in their order. A row that was there stays the same element.
   * @param {number} first
   * @param {number} last the one after the last
   */
  #place(first, last) {
    const before = this.#rows;
    this.#rows = new Map();
    for (let position = first; position < last; position += 1) {
      const entry = this.#at(position);
      this.#rows.set(entry, before.get(entry) ?? row(entry));
      before.delete(entry);
    }
    for (const gone of before.values()) gone.remove();
    let position = first;
    for (const [{ seq }, each] of this.#rows) {
      const there = this.#sizer.children[position - first];
      if (there !== each) this.#sizer.insertBefore(each, there ?? null);
      this.#state(each, seq, position);
      position += 1;
    }
  }

  /**
   * @param {HTMLElement} each
   * @param {number} seq
   * @param {number} position
   */
  #state(each, seq, position) {
    each.style.transform = `translateY(${position * ROW}px)`;
    each.setAttribute("aria-setsize", String(this.#entries.length));
    each.setAttribute("aria-posinset", String(position + 1));
    each.setAttribute("aria-selected", String(seq === this.#active));
    each.classList.toggle("pinned", seq === this.#pinned);
  }
}

/** @param {Entry} entry */
function row(entry) {
  const { seq, record } = entry;
  return element("div", { class: "row", role: "option", id: `event-${seq}`, "data-seq": seq, "data-status": record.status }, ...cells(entry));
}

/** @param {Entry} entry */
function cells({ record, marks, received }) {
  const status = markOf(record.status);
  const flags = marks.slice(1).map((mark) => element("span", { class: `flag mark-${mark}` }, icon(markOf(mark).icon), markOf(mark).label));
  return [
    element("span", { class: `status mark-${status.mark}` }, icon(status.icon), element("span", { class: "unseen" }, status.label)),
    element("span", { class: "row-title" }, isolated(title(record), 120)),
    element("span", { class: "row-flags" }, ...flags),
    element("span", { class: "row-time" }, clock(received)),
    element("span", { class: "row-second" }, ...secondLine(record)),
    element("span", { class: "row-kind" }, spelled(record.type || "no type", 20)),
  ];
}

/**
 * What is wrong, or else who and where.
 * @param {import("./records.js").EventRecord} record
 */
function secondLine({ violations, reason, status, user, scope }) {
  if (violations.length > 0) {
    const [{ path, reason: first }] = violations;
    const more = violations.length > 1 ? `, and ${violations.length - 1} more` : "";
    const place = path ? [element("code", {}, isolated(path, 60)), " "] : [];
    return [element("span", { class: "wrong" }, ...place, isolated(first, 160), more)];
  }
  if (reason && status !== "valid") return [element("span", { class: status === "unknown" ? "doubtful" : "wrong" }, isolated(reason, 160))];
  const fields = Object.entries(scope).filter(([name]) => name !== "user_id" && name !== "anonymous_id");
  const parts = fields.slice(0, 4).map(([name, value]) => element("span", {}, isolated(name, 30), " ", element("b", {}, isolated(String(value), 40))));
  return [element("span", {}, "user ", element("b", {}, user === null ? "none" : isolated(user, 60))), ...parts];
}
