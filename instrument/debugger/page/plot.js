/** Counts per minute as bars, those with a problem in red. */

import { drawing, element } from "./dom.js";

const HEIGHT = 28;
const STEP = 6;
const BAR = 4;

/**
 * @param {HTMLElement} place
 * @param {import("./minutes.js").Minute[]} minutes
 */
export function drawMinutes(place, minutes) {
  const most = Math.max(1, ...minutes.map(({ total }) => total));
  const scale = (/** @type {number} */ count) => (count === 0 ? 0 : Math.max(2, (count / most) * (HEIGHT - 1)));
  const bars = minutes.map(({ total, problems }, index) => {
    const ago = minutes.length - 1 - index;
    const when = ago === 0 ? "this minute" : `${ago} min ago`;
    return drawing(
      "g",
      {},
      drawing("title", {}, `${when}: ${counted(total)}, ${problems.toLocaleString("en")} with a problem`),
      bar("slot", index, 2),
      bar("bar", index, scale(total)),
      bar("bar problem", index, scale(problems)),
    );
  });
  const width = minutes.length * STEP;
  const current = minutes[minutes.length - 1].total;
  const label = `Events per minute over ${minutes.length} minutes: ${counted(current)} in this one, ${most.toLocaleString("en")} at most`;
  place.replaceChildren(
    element("span", { class: "this-minute", "aria-hidden": "true" }, element("b", {}, current.toLocaleString("en")), " this minute"),
    drawing("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": label }, ...bars),
  );
}

/** @param {number} count */
function counted(count) {
  return `${count.toLocaleString("en")} ${count === 1 ? "event" : "events"}`;
}

/**
 * @param {string} kind
 * @param {number} index
 * @param {number} height
 */
function bar(kind, index, height) {
  return drawing("rect", { class: kind, x: index * STEP, y: HEIGHT - height, width: BAR, height, rx: 1 });
}
