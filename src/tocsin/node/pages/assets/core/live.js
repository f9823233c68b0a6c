// The alerts, silences and status of the node, looked at whenever they change while somebody looks.
import { node, read, takeFirst } from "./node.js";
import { readGroups, readWorst } from "./model.js";
import "./first.js";
import { keepingPlace } from "./keep.js";
import { createStore } from "./store.js";
import { settings } from "./settings.js";

/**
 * @typedef {object} Silence
 * @property {string} id
 * @property {import("./matchers.js").Matcher[]} matchers
 * @property {number} startsAt
 * @property {number} endsAt
 * @property {number} updatedAt
 * @property {string} createdBy
 * @property {string} comment
 * @property {"active" | "pending" | "expired"} state
 * @property {Record<string, string>} annotations
 *
 * @typedef {object} Live
 * @property {boolean} loaded
 * @property {import("./model.js").Group[]} groups
 * @property {Map<string, Silence>} silences
 * @property {any} status       of API v2
 * @property {any} own          the status of Tocsin's own API
 * @property {number} changes   counts whatever the node told: receivers, members, configuration too
 * @property {number} at        when it was true
 * @property {string} problem   why the last look failed
 * @property {First | null} first  the beginning of the list, while all of it is still on its way
 *
 * @typedef {object} First
 * @property {import("./model.js").Group[]} groups   the worst, with some of their alerts
 * @property {number} activeGroups
 * @property {Record<string, number>} counts   of alerts, by state
 */

/** @type {import("./store.js").Store<Live>} */
export const live = createStore(
  /** @type {Live} */ ({ loaded: false, groups: [], silences: new Map(), status: null, own: null, changes: 0, at: 0, problem: "", first: null }),
);

/** Rows that somebody selected, opened or stands on: they stay in sight when their alert has ended. */
export const held = { /** @type {() => Set<string>} */ keys: () => new Set() };

/** @type {Map<string, import("./model.js").Alert>} */
let rows = new Map();
let timer = 0;
let looking = false;
let again = false;
let slow = 0;
/** @type {EventSource | null} */
let events = null;
let heardAt = 0;

/** Between two looks, in milliseconds, if the node tells of changes by itself: silences also begin and end by time. */
const SELDOM = 60_000;
/** After an event, so that many changes are one look. */
const SOON = 300;

/** @param {any} raw @returns {Silence} */
export function readSilence(raw) {
  return {
    id: raw.id,
    matchers: raw.matchers,
    startsAt: Date.parse(raw.startsAt),
    endsAt: Date.parse(raw.endsAt),
    updatedAt: Date.parse(raw.updatedAt),
    createdBy: raw.createdBy,
    comment: raw.comment,
    state: raw.status.state,
    annotations: raw.annotations ?? {},
  };
}

/** Look now. While a look is under way, one more follows it. */
export async function refresh() {
  if (looking) {
    again = true;
    return;
  }
  looking = true;
  clearTimeout(timer);
  const begun = performance.now();
  const early = takeFirst();
  early?.worst?.then(takeWorst).catch(() => undefined); // All of them follow.
  try {
    const [groups, silences, status, own] = await Promise.all([
      read("api/v2/alerts/groups", undefined, early),
      read("api/v2/silences"),
      read("api/v2/status"),
      read("api/tocsin/v1/status"),
    ]);
    take(groups, silences, status, own);
  } catch (error) {
    live.set({ ...live.get(), problem: /** @type {Error} */ (error).message });
  }
  looking = false;
  slow = performance.now() - begun;
  if (again) {
    again = false;
    refresh();
  } else {
    plan();
  }
}

/** @param {any[]} rawGroups @param {any[]} rawSilences @param {any} status @param {any} own */
function take(rawGroups, rawSilences, status, own) {
  const groups = readGroups(rawGroups, rows);
  const next = new Map();
  for (const group of groups) for (const alert of group.alerts) next.set(alert.key, alert);
  for (const key of held.keys()) {
    const gone = rows.get(key);
    if (!gone || next.has(key)) continue;
    const ended = gone.state === "resolved" ? gone : { ...gone, state: /** @type {const} */ ("resolved") };
    next.set(key, ended);
    const groupKey = key.slice(0, key.lastIndexOf("\n"));
    const group = groups.find((one) => one.key === groupKey);
    if (group) group.alerts.push(ended);
    else groups.push({ key: groupKey, labels: gone.labels, receiver: gone.receivers[0] ?? "", alerts: [ended] });
  }
  rows = next;
  const silences = new Map(rawSilences.map((raw) => [raw.id, readSilence(raw)]));
  const changes = live.get().changes + 1;
  keepingPlace(() => live.set({ loaded: true, groups, silences, status, own, changes, at: Date.now(), problem: "", first: null }));
}

/** What is seen first of very many. @param {any} answer to GET alerts/worst */
function takeWorst(answer) {
  if (live.get().loaded || !answer.groups.length) return;
  const groups = readWorst(answer.groups, rows);
  for (const group of groups) for (const alert of group.alerts) rows.set(alert.key, alert);
  live.set({ ...live.get(), first: { groups, activeGroups: answer.activeGroups, counts: answer.counts } });
}

/** A node with much to tell is asked less often: looking takes a twentieth of the time at most. */
function plan() {
  clearTimeout(timer);
  const { refresh: seconds } = settings.get();
  if (!seconds || document.hidden) return;
  // A stream that was refused, as by a proxy while the node began anew, is not opened again by the browser.
  if (events?.readyState === EventSource.CLOSED && performance.now() - heardAt > SELDOM) hear();
  const told = events?.readyState === EventSource.OPEN && !live.get().problem;
  timer = window.setTimeout(refresh, Math.max(told ? SELDOM : seconds * 1000, slow * 20));
}

/** Something changed: look soon, but not before the last look was paid for. */
function soon() {
  if (!settings.get().refresh || document.hidden) return;
  clearTimeout(timer);
  timer = window.setTimeout(refresh, Math.max(SOON, slow * 5, Math.min(1000 * settings.get().refresh, slow * 20)));
}

/** Be told of changes while the page is seen; a browser gives a page few connections, and a hidden one needs none. */
function hear() {
  if (document.hidden || !settings.get().refresh) {
    events?.close();
    events = null;
    return;
  }
  if (events && events.readyState !== EventSource.CLOSED) return;
  heardAt = performance.now();
  events = new EventSource(new URL("api/tocsin/v1/events", node.base));
  for (const kind of ["alerts", "silences", "notifications", "cluster", "configuration", "reset"]) {
    events.addEventListener(kind, soon);
  }
  events.addEventListener("error", plan);
}

/** Begin to look, and go on for as long as the page is seen. */
export function startLooking() {
  document.addEventListener("visibilitychange", () => {
    hear();
    if (document.hidden) plan();
    else refresh();
  });
  settings.watch(() => {
    hear();
    plan();
  });
  hear();
  refresh();
}
