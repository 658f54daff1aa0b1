/** The controls of the filter: what they say, and which choices they offer. */

import { element, icon, part } from "./dom.js";
import { everything, isEverything } from "./filters.js";
import { MARKS } from "./records.js";
import { spelled } from "./text.js";

/** @typedef {import("./filters.js").Filter} Filter */
/** @typedef {import("./records.js").Entry} Entry */

const MOST_CHOICES = 500;
const TEXTS = /** @type {const} */ (["text", "user", "value"]);
const CHOICES = /** @type {const} */ (["kind", "name", "field"]);

export class Controls {
  /** @type {Filter} */
  filter = everything();
  #changed;
  #selects = { kind: part("filter-kind", HTMLSelectElement), name: part("filter-name", HTMLSelectElement), field: part("filter-field", HTMLSelectElement) };
  #inputs = { text: part("filter-text", HTMLInputElement), user: part("filter-user", HTMLInputElement), value: part("filter-value", HTMLInputElement) };
  #request = part("filter-request", HTMLButtonElement);
  #clear = part("filter-clear", HTMLButtonElement);
  /** @type {Map<string, {chip: HTMLButtonElement, count: HTMLElement}>} */
  #chips = new Map();

  /**
   * @param {object} listeners
   * @param {() => void} listeners.changed
   * @param {() => void} listeners.left somebody went on from the search to what it found
   */
  constructor({ changed, left }) {
    this.#changed = changed;
    this.#inputs.text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "ArrowDown") return;
      event.preventDefault();
      left();
    });
    for (const name of TEXTS) this.#inputs[name].addEventListener("input", () => this.set({ [name]: this.#inputs[name].value }));
    for (const name of CHOICES) this.#selects[name].addEventListener("change", () => this.set({ [name]: this.#selects[name].value }));
    this.#request.addEventListener("click", () => this.set({ request: "" }));
    this.#clear.addEventListener("click", () => this.clear());
    part("filter-marks", HTMLElement).append(...MARKS.map((each) => this.#chip(each)));
  }

  /** @param {Partial<Filter>} changes */
  set(changes) {
    this.filter = { ...this.filter, ...changes };
    this.#show();
    this.#changed();
  }

  clear() {
    this.set(everything());
  }

  focus() {
    this.#inputs.text.focus();
    this.#inputs.text.select();
  }

  /**
   * Offer what the events have.
   * @param {Entry[]} entries
   */
  offer(entries) {
    for (const { record } of entries) {
      this.#add("kind", record.type);
      this.#add("name", record.name ?? "");
      for (const field of Object.keys(record.scope).slice(0, MOST_CHOICES)) this.#add("field", field);
    }
  }

  /** @param {Map<string, number>} counts how many events have a mark */
  count(counts) {
    for (const [mark, { count, chip }] of this.#chips) {
      const number = counts.get(mark) ?? 0;
      const text = number.toLocaleString("en");
      if (count.textContent !== text) count.textContent = text;
      chip.classList.toggle("none", number === 0);
    }
  }

  /** Choices that were made, by select. */
  #offered = { kind: new Set([""]), name: new Set([""]), field: new Set([""]) };

  /**
   * @param {"kind" | "name" | "field"} which
   * @param {string} value
   */
  #add(which, value) {
    const offered = this.#offered[which];
    if (offered.has(value) || offered.size > MOST_CHOICES) return;
    offered.add(value);
    const options = this.#selects[which].options;
    const after = [...options].slice(1).find((option) => option.value > value);
    this.#selects[which].insertBefore(element("option", { value }, spelled(value, 80)), after ?? null);
  }

  /** @param {{mark: string, label: string, icon: string}} mark */
  #chip({ mark, label, icon: name }) {
    const count = element("span", { class: "chip-count" }, "0");
    const toggle = () => {
      const marks = new Set(this.filter.marks);
      if (!marks.delete(mark)) marks.add(mark);
      this.set({ marks });
    };
    const chip = element("button", { type: "button", class: `chip mark-${mark} none`, "aria-pressed": "false", on: { click: toggle } }, icon(name), label, " ", count);
    this.#chips.set(mark, { chip, count });
    return chip;
  }

  #show() {
    const { filter } = this;
    for (const name of TEXTS) if (this.#inputs[name].value !== filter[name]) this.#inputs[name].value = filter[name];
    for (const name of CHOICES) {
      this.#add(name, filter[name]);
      this.#selects[name].value = filter[name];
    }
    for (const [mark, { chip }] of this.#chips) chip.setAttribute("aria-pressed", String(filter.marks.has(mark)));
    this.#request.hidden = filter.request === "";
    this.#request.replaceChildren(`Request ${spelled(filter.request, 24)}`, icon("cross"));
    this.#request.setAttribute("aria-label", `Show all requests, not only ${spelled(filter.request, 60)}`);
    this.#clear.hidden = isEverything(filter);
  }
}
