/** Times as people read them. */

/** @param {number} time in milliseconds since 1970 */
export function clock(time) {
  if (!Number.isFinite(time)) return "no time";
  const date = new Date(time);
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  const thousandths = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${thousandths}`;
}

/** @param {number} length in milliseconds */
export function lasting(length) {
  if (!Number.isFinite(length)) return "?";
  const sign = length < 0 ? "−" : "";
  const size = Math.abs(length);
  if (size < 1000) return `${sign}${Math.round(size)} ms`;
  if (size < 60_000) return `${sign}${(size / 1000).toFixed(2)} s`;
  if (size < 3_600_000) return `${sign}${(size / 60_000).toFixed(1)} min`;
  return `${sign}${(size / 3_600_000).toFixed(1)} h`;
}
