/** What leaves the page, and what is put into it: the clipboard, and files of JSON Lines. */

import { element, part } from "./dom.js";
import * as server from "./server.js";
import { isolated } from "./text.js";

const MOST_REJECTED = 50;

export class Transfers {
  #notices;
  #outcome = part("outcome", HTMLDialogElement);

  /** @param {import("./notices.js").Notices} notices */
  constructor(notices) {
    this.#notices = notices;
    const file = part("import-file", HTMLInputElement);
    file.addEventListener("change", async () => {
      if (file.files?.length) await this.tried(this.#importFile(file.files[0]));
      file.value = "";
    });
    part("import", HTMLButtonElement).addEventListener("click", () => file.click());
    part("clear", HTMLButtonElement).addEventListener("click", () => this.tried(server.clear()));
    part("outcome-close", HTMLButtonElement).addEventListener("click", () => this.#outcome.close());
  }

  /**
   * @param {string} text
   * @param {string} said
   */
  async copy(text, said) {
    try {
      await navigator.clipboard.writeText(text);
      this.#notices.say(said);
    } catch {
      this.#notices.say("The browser does not let this page copy.");
    }
  }

  /** @param {Promise<void>} work */
  async tried(work) {
    try {
      await work;
    } catch (error) {
      this.#notices.say(`That failed: ${error instanceof Error ? error.message : "unknown"}`);
    }
  }

  /** @param {File} file */
  async #importFile(file) {
    const { imported, rejected } = await server.importLines(file);
    const said = `${imported.toLocaleString("en")} ${imported === 1 ? "event" : "events"} imported.`;
    if (rejected.length === 0) {
      this.#notices.say(said);
      return;
    }
    const lines = rejected.slice(0, MOST_REJECTED).map(({ line, reason }) => {
      return element("li", {}, `Line ${line.toLocaleString("en")}: `, isolated(reason, 300));
    });
    const many = rejected.length === 1 ? "1 line was" : `${rejected.length.toLocaleString("en")} lines were`;
    part("outcome-said", HTMLElement).textContent = `${said} ${many} rejected:`;
    part("outcome-rejected", HTMLElement).replaceChildren(...lines);
    this.#outcome.showModal();
  }
}
