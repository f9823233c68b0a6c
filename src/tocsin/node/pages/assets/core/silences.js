// What is known of silences beside the API's answer, and what may be done to them. Pure but for the requests.
import { distinct } from "./model.js";
import { formatMatcher, matchesAll, readable, takesEmpty } from "./matchers.js";
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

/** @typedef {ReturnType<typeof posted>} Posted */
/** @typedef {{id: string, as: string, start: string}} Made  a silence that a form has made, what was asked for, and the start that was written */
/** @typedef {{wanted: Posted, as: string, start: string}} Unsure  one that was asked for, of which nobody knows whether it is made */

/** Statuses after which it may have been done: none came, or a proxy has lost the node meanwhile. */
const UNKNOWN = new Set([0, 502, 503, 504]);

/**
 * Make a silence, once: when it is `made` already, it is left as it is, or changed if it is asked for otherwise.
 * @param {Posted} wanted
 * @param {string} start  what somebody wrote as its beginning; empty: now
 * @param {Made | Unsure | undefined} before
 * @param {(unsure: Unsure) => void} onUnsure  it may be made, and is looked for when it is tried again
 * @returns {Promise<Made>}
 */
export async function makeOnce(wanted, start, before, onUnsure) {
  const as = JSON.stringify({ ...wanted, id: "", startsAt: start && wanted.startsAt });
  let made = before;
  if (made && "wanted" in made) {
    const id = await idOf(made.wanted);
    made = id ? { id, as: made.as, start: made.start } : undefined;
  }
  if (!made) {
    try {
      return { id: await putSilence(wanted), as, start };
    } catch (error) {
      const unknown = !wanted.id && UNKNOWN.has(/** @type {import("./node.js").NodeError} */ (error).status);
      if (unknown) onUnsure({ wanted, as, start });
      throw error;
    }
  }
  if (made.as === as) return made;
  // It has begun when the node took it: with another start it would be another silence.
  const { startsAt } = made.start === start ? await read(`api/v2/silence/${encodeURIComponent(made.id)}`) : wanted;
  return { id: await putSilence({ ...wanted, id: made.id, startsAt }), as, start };
}

/** The id of a silence that is all that was asked for; empty: there is none. @param {Posted} wanted @returns {Promise<string>} */
async function idOf(wanted) {
  const plain = wanted.matchers.filter((each) => each.isEqual && !each.isRegex);
  const query = plain.map((each) => `&filter=${encodeURIComponent(formatMatcher(each))}`).join("");
  /** @type {any[]} */
  const list = await read(`api/v2/silences?expired=false${query}`);
  const found = list.find((one) => sameMatchers(one.matchers, wanted.matchers) && one.comment === wanted.comment
    && one.createdBy === wanted.createdBy && Date.parse(one.endsAt) === Date.parse(wanted.endsAt));
  return found?.id ?? "";
}

/** @param {import("./matchers.js").Matcher[]} some @param {import("./matchers.js").Matcher[]} others */
function sameMatchers(some, others) {
  const text = (/** @type {import("./matchers.js").Matcher[]} */ list) => JSON.stringify(plainMatchers(list).map(formatMatcher).sort());
  return text(some) === text(others);
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
