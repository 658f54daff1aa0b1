/** What the page asks the server for, besides the events. */

/**
 * @typedef {object} PlanMessage
 * @property {string} type
 * @property {string | null} name
 * @property {string} class_name
 * @property {string} doc
 * @property {string[]} scope
 * @property {string} file
 * @property {number} line
 */

/** @returns {Promise<PlanMessage[]>} */
export async function askForPlan() {
  return (await answered(await fetch("api/plan"))).messages;
}

export async function clear() {
  await answered(await fetch("api/clear", { method: "POST" }));
}

/**
 * @param {Blob} lines
 * @returns {Promise<{imported: number, rejected: {line: number, reason: string}[]}>}
 */
export async function importLines(lines) {
  return answered(await fetch("api/import", { method: "POST", body: lines }));
}

/** @param {Response} response */
async function answered(response) {
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message ?? `the server answered ${response.status}`);
  return answer;
}
