/** Short notices, which are seen and read out, and go by themselves. */

import { element } from "./dom.js";

const STAY = 5000;

export class Notices {
  #place;

  /** @param {HTMLElement} place a live region */
  constructor(place) {
    this.#place = place;
  }

  /** @param {string} text */
  say(text) {
    const notice = element("p", { class: "notice" }, text);
    this.#place.replaceChildren(notice);
    setTimeout(() => notice.remove(), STAY);
  }
}
