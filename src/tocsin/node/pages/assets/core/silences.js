// What is known of silences beside the API's answer, and what may be done to them. Pure but for the requests.
import { distinct } from "./model.js";
import { matchesAll, readable, takesEmpty } from "./matchers.js";
import { readSilence } from "./live.js";
import { expireSilence, forEach, putSilence, read } from "./node.js";
import { DAY, HOUR } from "./time.js";

/** @typedef {import("./live.js").Silence} Silence */

export const SOON = HOUR;
export const LONG = 30 * DAY;
/** So many alerts, and this share of all, make a silence look too broad. */
export const MANY = 10;
export const SHARE = 0.5;

/** How many alerts each silence mutes now, as the node says. @param {import("./model.js").Group[]} groups */
export function matchCounts(groups) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const alert of distinct(groups)) {
    if (alert.state === "resolved") continue;
    for (const id of alert.silencedBy) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

/** The API's form of matchers. @param {import("./matchers.js").Matcher[]} list */
export function plainMatchers(list) {
  return list.map(({ name, value, isRegex, isEqual }) => ({ name, value, isRegex, isEqual: isEqual !== false }));
}

/** The API's form of a change to a silence. @param {Silence} silence @param {Partial<Silence>} [change] */
export function posted(silence, change = {}) {
  const all = { ...silence, ...change };
  return {
    ...(all.id ? { id: all.id } : {}),
    matchers: plainMatchers(all.matchers),
    startsAt: new Date(all.startsAt).toISOString(),
    endsAt: new Date(all.endsAt).toISOString(),
    createdBy: all.createdBy,
    comment: all.comment,
    ...(Object.keys(all.annotations ?? {}).length ? { annotations: all.annotations } : {}),
  };
}

/** @typedef {{id: string, as: string, start: string}} Made  a silence that a form has made, what was asked for, and the start that was written */

/**
 * Make a silence, once: when it is `made` already, it is left as it is, or changed if it is asked for otherwise.
 * @param {{id?: string, startsAt: string}} wanted  in the API's form
 * @param {string} start  what somebody wrote as its beginning; empty: now
 * @param {Made | undefined} made
 * @returns {Promise<Made>}
 */
export async function makeOnce(wanted, start, made) {
  const as = JSON.stringify({ ...wanted, id: "", startsAt: start && wanted.startsAt });
  if (!made) return { id: await putSilence(wanted), as, start };
  if (made.as === as) return made;
  // It has begun when the node took it: with another start it would be another silence.
  const { startsAt } = made.start === start ? await read(`api/v2/silence/${encodeURIComponent(made.id)}`) : wanted;
  return { id: await putSilence({ ...wanted, id: made.id, startsAt }), as, start };
}

/**
 * End later than they do now, which may not be what was shown: somebody else may have changed them.
 * @param {Silence[]} list @param {number} by milliseconds
 */
export function extend(list, by) {
  return forEach(list, async ({ id }) => {
    const silence = readSilence(await read(`api/v2/silence/${encodeURIComponent(id)}`));
    if (silence.state === "expired") throw new Error("it has ended meanwhile");
    return putSilence(posted(silence, { endsAt: silence.endsAt + by }));
  });
}

/** End now. @param {Silence[]} list */
export function expire(list) {
  return forEach(list, (silence) => expireSilence(silence.id));
}

/**
 * What a careful colleague would ask before this silence is made.
 * @param {{matchers: import("./matchers.js").Matcher[], length: number, matching: number, total: number}} silence
 * @returns {{refused: string[], asked: Record<string, string>}} what the node refuses, and what is to be confirmed, by its kind
 */
export function doubts({ matchers, length, matching, total }) {
  const refused = [];
  /** @type {Record<string, string>} */
  const asked = {};
  if (!matchers.length) refused.push("A silence needs a matcher.");
  else if (readable(matchers) && matchers.every(takesEmpty)) {
    refused.push("One matcher must name something: all of these take alerts that lack the label.");
  }
  if (!(length > 0)) refused.push("It must end after it begins.");
  if (matching >= MANY && matching > total * SHARE) {
    asked.broad = `It mutes ${matching} of ${total} alerts that there are now.`;
  }
  if (length > LONG) asked.long = `It lasts ${Math.round(length / DAY)} days: who will remember it?`;
  return { refused, asked };
}

/** @param {Silence} silence @param {import("./model.js").Alert[]} alerts */
export function matchingNow(silence, alerts) {
  return alerts.filter((alert) => matchesAll(silence.matchers, alert.labels));
}
