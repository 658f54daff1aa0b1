/** The page of the local debugger: puts its parts together. */

import { Controls } from "./controls.js";
import { details } from "./details.js";
import { part } from "./dom.js";
import { Feed } from "./feed.js";
import { isEverything, matcher } from "./filters.js";
import { atMostEvery, oncePerFrame } from "./frames.js";
import { History } from "./history.js";
import { EventList } from "./list.js";
import { Minutes } from "./minutes.js";
import { Notices } from "./notices.js";
import { drawMinutes } from "./plot.js";
import { entryOf } from "./records.js";
import { askForPlan } from "./server.js";
import { startShortcuts } from "./shortcuts.js";
import { Stream } from "./stream.js";
import { startTheme } from "./theme.js";
import { Timeline } from "./timeline.js";
import { Transfers } from "./transfers.js";

/** @typedef {import("./records.js").Entry} Entry */

const SLOWLY = 250;

const history = new History();
const feed = new Feed(history);
const minutes = new Minutes();
/** @type {Map<string, import("./server.js").PlanMessage>} */
const plan = new Map();

/** @type {{view: "events" | "timeline", by: "request" | "user", active: Entry | null, open: boolean, pinned: Entry | null, held: boolean}} */
const state = { view: "events", by: "request", active: null, open: false, pinned: null, held: false };

const body = document.body;
const box = part("events", HTMLElement);
const timelineBox = part("timeline", HTMLElement);
const detailsBox = part("details", HTMLElement);
const help = part("help", HTMLDialogElement);
const by = part("timeline-by", HTMLSelectElement);
const notices = new Notices(part("notices", HTMLElement));
const transfers = new Transfers(notices);
const wide = matchMedia("(min-width: 60rem)");

// ---- what is shown -------------------------------------------------------------------------------------------------

const draw = oncePerFrame(() => {
  if (state.view === "events") list.show(feed.shown);
  drawPause();
  drawCounts();
});

const drawSlowly = atMostEvery(SLOWLY, () => {
  if (state.view === "timeline") timeline.show(feed.shown, state.by);
  drawMinutes(part("minutes", HTMLElement), minutes.until(Date.now()));
});

function drawAll() {
  draw();
  drawSlowly();
}

function drawCounts() {
  controls.count(history.counts);
  const shown = feed.shown.length;
  const filtered = isEverything(controls.filter) ? "" : ` of ${history.entries.length.toLocaleString("en")}`;
  part("shown", HTMLElement).textContent = `${shown.toLocaleString("en")}${filtered} ${shown === 1 ? "event" : "events"}`;
  part("forgotten", HTMLElement).textContent = history.forgotten === 0 ? "" : `${history.forgotten.toLocaleString("en")} older ones forgotten`;
  body.dataset.empty = history.entries.length === 0 ? "all" : shown === 0 ? "filtered" : "no";
}

function drawPause() {
  const fresh = part("fresh", HTMLButtonElement);
  const pause = part("pause", HTMLButtonElement);
  const text = feed.newer === 0 ? "Paused: back to live" : `${feed.newer.toLocaleString("en")} new`;
  fresh.hidden = !feed.paused;
  const said = part("fresh-text", HTMLElement);
  if (feed.paused && said.textContent !== text) said.textContent = text;
  pause.setAttribute("aria-pressed", String(feed.paused));
  body.classList.toggle("paused", feed.paused);
}

function drawDetails() {
  list.mark(state.active?.seq ?? null, state.pinned?.seq ?? null);
  timeline.mark(state.active?.seq ?? null);
  body.classList.toggle("open", state.open && state.active !== null);
  part("pinned", HTMLElement).hidden = state.pinned === null;
  if (state.pinned !== null) part("pinned-name", HTMLElement).replaceChildren(`#${state.pinned.seq.toLocaleString("en")}`);
  if (state.active === null) {
    detailsBox.replaceChildren(part("nothing", HTMLTemplateElement).content.cloneNode(true));
    return;
  }
  const { record } = state.active;
  const focused = detailsBox.contains(document.activeElement) && document.activeElement !== detailsBox;
  const related = record.request === null ? [] : history.entries.filter((each) => each.record.request === record.request);
  const declared = plan.get(planKey(record.type, record.name)) ?? null;
  detailsBox.replaceChildren(...details(state.active, { declared, pinned: state.pinned, related }, actions));
  detailsBox.scrollTop = 0;
  if (focused) detailsBox.querySelector("h2")?.focus(); // what had the focus is gone
}

/**
 * @param {string} type
 * @param {string | null} name
 */
function planKey(type, name) {
  return `${type} ${name ?? ""}`;
}

// ---- going to an event ---------------------------------------------------------------------------------------------

/**
 * @param {Entry} entry
 * @param {boolean} opened whether it was asked for, and not just passed
 */
function choose(entry, opened) {
  const changed = state.active !== entry;
  state.active = entry;
  state.open = opened || (state.open && wide.matches);
  if (changed || opened) drawDetails();
  if (opened && !wide.matches) detailsBox.querySelector("h2")?.focus();
}

function closeDetails() {
  if (body.classList.contains("open") && !wide.matches) {
    state.open = false;
    drawDetails();
    focusView();
  } else if (state.pinned !== null) {
    actions.unpin();
  } else {
    state.active = null;
    drawDetails();
  }
}

function view() {
  return state.view === "events" ? list : timeline;
}

function focusView() {
  view().focus();
}

// ---- pausing -------------------------------------------------------------------------------------------------------

function scrolled() {
  if (!view().isAtTop) feed.pause();
  else if (!state.held) feed.resume();
  drawAll();
}

/** @param {boolean} held */
function hold(held) {
  state.held = held;
  if (held) {
    feed.pause();
  } else {
    feed.resume();
    list.toTop();
    timeline.toTop();
  }
  drawAll();
}

// ---- what can be done ----------------------------------------------------------------------------------------------

/** @type {import("./details.js").Actions} */
const actions = {
  copyAssertion: ({ record }) => transfers.copy(record.assertion ?? "", "The assertion is copied."),
  copyJson: ({ record }) => transfers.copy(JSON.stringify(record.envelope, null, 2), "The JSON is copied."),
  pin: (entry) => {
    state.pinned = entry;
    drawDetails();
    notices.say("Choose another event to compare it with.");
    if (!wide.matches) closeDetails();
  },
  unpin: () => {
    state.pinned = null;
    drawDetails();
  },
  filter: (change) => controls.set(change),
  open: (seq) => {
    const entry = history.find(seq);
    if (entry === null) notices.say(`Event #${seq} is forgotten.`);
    else choose(entry, true);
  },
  close: closeDetails,
};

/** @param {"events" | "timeline"} name */
function show(name) {
  state.view = name;
  box.hidden = name !== "events";
  timelineBox.hidden = name !== "timeline";
  part("by", HTMLElement).hidden = name !== "timeline";
  part("view-events", HTMLButtonElement).setAttribute("aria-pressed", String(name === "events"));
  part("view-timeline", HTMLButtonElement).setAttribute("aria-pressed", String(name === "timeline"));
  scrolled();
}

/** @param {(entry: Entry) => void} work */
function withActive(work) {
  if (state.active === null) notices.say("Choose an event first.");
  else work(state.active);
}

// ---- putting it together -------------------------------------------------------------------------------------------

const list = new EventList(box, { chosen: choose, scrolled });
const timeline = new Timeline(timelineBox, { chosen: (entry) => choose(entry, true), scrolled });
const controls = new Controls({
  changed: () => {
    feed.filter(matcher(controls.filter));
    drawAll();
  },
  left: focusView,
});

const stream = new Stream({
  received: (records, missed) => {
    const entries = records.map(entryOf);
    history.forgotten += missed;
    history.add(entries);
    feed.add(entries);
    entries.forEach((entry) => minutes.add(entry));
    controls.offer(entries);
    drawAll();
  },
  cleared: () => {
    history.clear();
    feed.clear();
    minutes.clear();
    state.active = state.pinned = null;
    drawDetails();
    drawAll();
  },
  changed: (connection) => {
    const said = { connecting: "connecting", live: "live", lost: "connection lost" }[connection];
    part("connection", HTMLElement).dataset.state = connection;
    part("connection-text", HTMLElement).textContent = said;
  },
});

/** @type {[string, () => void][]} */
const buttons = [
  ["view-events", () => show("events")],
  ["view-timeline", () => show("timeline")],
  ["pause", () => hold(!feed.paused)],
  ["fresh", () => hold(false)],
  ["unpin", actions.unpin],
  ["help-open", () => help.showModal()],
  ["help-close", () => help.close()],
  ["no-match-clear", () => controls.clear()],
];
for (const [id, work] of buttons) part(id, HTMLButtonElement).addEventListener("click", work);

const more = part("filters-open", HTMLButtonElement);
more.addEventListener("click", () => {
  more.setAttribute("aria-expanded", String(body.classList.toggle("filtering")));
});

by.addEventListener("change", () => {
  state.by = by.value === "user" ? "user" : "request";
  drawAll();
});

startShortcuts(
  [
    { keys: ["/"], does: "Search", work: () => controls.focus() },
    { keys: ["j"], does: "Next event", work: () => view().move(1) },
    { keys: ["k"], does: "Event before", work: () => view().move(-1) },
    { keys: ["↓", "↑", "Page Down", "Page Up", "Home", "End"], does: "Move in the list" },
    { keys: ["Enter"], does: "Open the event" },
    { keys: ["Esc"], does: "Close, or stop comparing", work: closeDetails },
    { keys: ["c"], does: "Compare the event with the next one that you choose", work: () => withActive(actions.pin) },
    { keys: ["y"], does: "Copy the event as an assertion", work: () => withActive(actions.copyAssertion) },
    { keys: ["t"], does: "Events, or timeline", work: () => show(state.view === "events" ? "timeline" : "events") },
    { keys: ["p"], does: "Pause, or go on", work: () => hold(!feed.paused) },
    { keys: ["g"], does: "Back to the newest", work: () => hold(false) },
    { keys: ["x"], does: "Remove every filter", work: () => controls.clear() },
    { keys: ["d"], does: "Dark, light, or as the system", work: () => part("theme", HTMLButtonElement).click() },
    { keys: ["?"], does: "This list", work: () => help.showModal() },
  ],
  /** @type {HTMLTableSectionElement} */ (part("shortcuts", HTMLTableSectionElement)),
  part("shortcuts-on", HTMLInputElement),
);
startTheme(part("theme", HTMLButtonElement));
for (const place of document.querySelectorAll(".address")) place.textContent = location.origin;
setInterval(drawSlowly, 10_000);
drawDetails();
drawAll();
stream.start();
void transfers.tried(
  askForPlan().then((messages) => {
    for (const message of messages) plan.set(planKey(message.type, message.name), message);
  }),
);
