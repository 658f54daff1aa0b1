/** Doing things less often than they are asked for. */

/**
 * Return a function that does something once before the next frame, however often it is called.
 * @param {() => void} work
 */
export function oncePerFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}

/**
 * Return a function that does something soon, and then not again for a while.
 * @param {number} pause in milliseconds
 * @param {() => void} work
 */
export function atMostEvery(pause, work) {
  let earliest = 0;
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    setTimeout(() => {
      asked = false;
      earliest = performance.now() + pause;
      work();
    }, Math.max(0, earliest - performance.now()));
  };
}
