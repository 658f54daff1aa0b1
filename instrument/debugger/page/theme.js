/** Light, dark, or what the system says; the choice is kept. */

import { kept, keep } from "./choices.js";

const NEXT = /** @type {Record<string, string>} */ ({ system: "light", light: "dark", dark: "system" });

/** @param {HTMLButtonElement} button */
export function startTheme(button) {
  let theme = kept("theme", "system");

  function apply() {
    if (theme in NEXT === false) theme = "system";
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.dataset.theme = theme;
    button.setAttribute("aria-label", `Theme: ${theme}`);
    button.title = `Theme: ${theme}`;
  }

  button.addEventListener("click", () => {
    theme = NEXT[theme];
    keep("theme", theme);
    apply();
  });
  apply();
}
