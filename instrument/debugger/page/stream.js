/** The events as the server sends them: each once, in order, also over a lost connection. */

/** @typedef {import("./records.js").EventRecord} EventRecord */

const PAGE = 500;
const PATIENCE = 2000;

export class Stream {
  #received;
  #cleared;
  #changed;
  /** The number of the last event that was passed on. */
  #last = 0;
  /** Which run of the server counts the events. */
  #run = "";
  /** @type {EventRecord[] | null} what the server pushed while older events are being asked for */
  #waiting = null;
  #overflowed = false;

  /**
   * @param {object} listeners
   * @param {(records: EventRecord[], missed: number) => void} listeners.received new events, and how many before them are lost
   * @param {() => void} listeners.cleared
   * @param {(state: "connecting" | "live" | "lost") => void} listeners.changed
   */
  constructor({ received, cleared, changed }) {
    this.#received = received;
    this.#cleared = cleared;
    this.#changed = changed;
  }

  start() {
    this.#changed("connecting");
    const source = new EventSource("api/stream");
    source.addEventListener("open", () => this.#catchUp());
    source.addEventListener("record", ({ data }) => this.#take(JSON.parse(data)));
    source.addEventListener("cleared", () => this.#cleared());
    source.addEventListener("error", () => {
      this.#changed("lost");
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      setTimeout(() => this.start(), PATIENCE);
    });
  }

  /** @param {EventRecord} record */
  #take(record) {
    if (this.#waiting !== null) {
      if (this.#waiting.length < PAGE) this.#waiting.push(record);
      else this.#overflowed = true; // what does not fit is asked for
    } else if (record.seq === this.#last + 1) {
      this.#pass([record], 0);
    } else if (record.seq > this.#last) {
      this.#catchUp();
    }
  }

  /** Ask for what came since the last event, page by page, then go on with what is pushed. */
  async #catchUp() {
    if (this.#waiting !== null) return;
    this.#waiting = [];
    try {
      do {
        this.#overflowed = false;
        while (await this.#askForPage());
      } while (this.#overflowed);
      const waiting = this.#waiting.filter((record) => record.seq > this.#last);
      this.#waiting = null;
      this.#changed("live");
      waiting.forEach((record) => this.#take(record));
    } catch {
      this.#waiting = null;
      this.#changed("lost");
      setTimeout(() => this.#catchUp(), PATIENCE);
    }
  }

  /** @returns {Promise<boolean>} whether there may be more */
  async #askForPage() {
    const answer = await fetch(`api/events?after=${this.#last}&limit=${PAGE}`);
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    /** @type {{events: EventRecord[], forgotten: number, run: string}} */
    const { events, forgotten, run } = await answer.json();
    const ran = this.#run;
    this.#run = run;
    if (ran !== "" && ran !== run) {
      this.#last = 0; // another run, which counts from the beginning
      this.#cleared();
      return true;
    }
    if (events.length === 0) return false;
    this.#pass(events, this.#last === 0 ? forgotten : events[0].seq - this.#last - 1);
    return events.length === PAGE;
  }

  /**
   * @param {EventRecord[]} records
   * @param {number} missed
   */
  #pass(records, missed) {
    this.#last = records[records.length - 1].seq;
    this.#received(records, missed);
  }
}
