// The alerts, silences and status of the node, looked at again and again while somebody looks.
import { read } from "./node.js";
import { readGroups } from "./model.js";
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
 * @property {any} status
 * @property {number} at        when it was true
 * @property {string} problem   why the last look failed
 */

/** @type {import("./store.js").Store<Live>} */
export const live = createStore(
  /** @type {Live} */ ({ loaded: false, groups: [], silences: new Map(), status: null, at: 0, problem: "" }),
);

/** Rows that somebody selected, opened or stands on: they stay in sight when their alert has ended. */
export const held = { /** @type {() => Set<string>} */ keys: () => new Set() };

/** @type {Map<string, import("./model.js").Alert>} */
let rows = new Map();
let timer = 0;
let looking = false;
let again = false;
let slow = 0;

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
  try {
    const [groups, silences, status] = await Promise.all([
      read("api/v2/alerts/groups"),
      read("api/v2/silences"),
      read("api/v2/status"),
    ]);
    take(groups, silences, status);
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

/** @param {any[]} rawGroups @param {any[]} rawSilences @param {any} status */
function take(rawGroups, rawSilences, status) {
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
  live.set({ loaded: true, groups, silences, status, at: Date.now(), problem: "" });
}

/** A node with much to tell is asked less often: looking takes a twentieth of the time at most. */
function plan() {
  clearTimeout(timer);
  const { refresh: seconds } = settings.get();
  if (!seconds || document.hidden) return;
  timer = window.setTimeout(refresh, Math.max(seconds * 1000, slow * 20));
}

/** Begin to look, and go on for as long as the page is seen. */
export function startLooking() {
  document.addEventListener("visibilitychange", () => (document.hidden ? plan() : refresh()));
  settings.watch(plan);
  refresh();
}
