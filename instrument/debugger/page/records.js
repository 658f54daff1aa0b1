/** What the server says of a message, and what the page works out from it, once. */

/**
 * @typedef {object} EventRecord
 * @property {number} seq
 * @property {string} received_at
 * @property {string} type
 * @property {string | null} name
 * @property {string | null} user
 * @property {string} message_id
 * @property {string | null} write_key_hint
 * @property {Record<string, any>} envelope
 * @property {"valid" | "invalid" | "unknown" | "refused" | "dropped"} status
 * @property {{path: string, reason: string}[]} violations
 * @property {number | null} duplicate_of
 * @property {boolean} late
 * @property {Record<string, string> | null} provenance
 * @property {{name: string, file: string | null, line: number | null} | null} handler
 * @property {string | null} request
 * @property {Record<string, any>} scope
 * @property {string | null} reason
 * @property {string | null} assertion
 */

/**
 * @typedef {object} Entry
 * @property {EventRecord} record
 * @property {number} seq
 * @property {number} received when the server got it, in milliseconds
 * @property {number} at when it happened, as its sender says, in milliseconds
 * @property {string[]} marks its status, and `duplicate` or `late`
 * @property {string} text everything that the search finds, in lower case
 */

/** The marks that an event can have, in the order in which they are shown. */
export const MARKS = [
  { mark: "valid", label: "Valid", icon: "check" },
  { mark: "invalid", label: "Invalid", icon: "cross" },
  { mark: "unknown", label: "Unknown", icon: "question" },
  { mark: "refused", label: "Refused", icon: "stop" },
  { mark: "dropped", label: "Dropped", icon: "drop" },
  { mark: "duplicate", label: "Duplicate", icon: "copies" },
  { mark: "late", label: "Late", icon: "clock" },
];

const BY_MARK = new Map(MARKS.map((each) => [each.mark, each]));

/** @param {string} mark */
export function markOf(mark) {
  return BY_MARK.get(mark) ?? { mark, label: mark, icon: "question" };
}

/**
 * @param {EventRecord} record
 * @returns {Entry}
 */
export function entryOf(record) {
  const received = Date.parse(record.received_at);
  const sent = Date.parse(String(record.envelope.timestamp));
  const marks = [record.status, ...(record.duplicate_of === null ? [] : ["duplicate"]), ...(record.late ? ["late"] : [])];
  return { record, seq: record.seq, received, at: Number.isNaN(sent) ? received : sent, marks, text: searchable(record) };
}

/** @param {EventRecord} record */
export function title(record) {
  return record.name ?? (record.type || "message");
}

/** @param {EventRecord} record */
function searchable(record) {
  const { name, type, user, message_id, envelope, violations, request, scope, reason, handler, provenance } = record;
  const parts = [name, type, user, message_id, envelope, violations, request, scope, reason, handler, provenance];
  try {
    return JSON.stringify(parts).toLowerCase();
  } catch {
    return `${name} ${type} ${user} ${message_id}`.toLowerCase(); // nested deeper than the browser writes
  }
}

/**
 * What to look for in an entry's text to find what somebody typed.
 * @param {string} typed
 */
export function needle(typed) {
  return JSON.stringify(typed).slice(1, -1).toLowerCase();
}
