// What the node's answers mean: alerts with their states, groups, facets. Pure: nothing is asked or drawn here.
import { matchesAll } from "./matchers.js";
import { BEFORE, SEVERITIES } from "./severities.js";

/**
 * @typedef {Record<string, string>} Labels
 * @typedef {"active" | "silenced" | "inhibited" | "muted" | "resolved"} State
 *
 * @typedef {object} Alert one alert in one group
 * @property {string} key          of its row: group and fingerprint
 * @property {string} fingerprint
 * @property {Labels} labels
 * @property {Labels} annotations
 * @property {number} startsAt
 * @property {string} generatorURL
 * @property {string[]} receivers
 * @property {State} state
 * @property {number} rank         how bad, smaller is worse
 * @property {string[]} silencedBy
 * @property {string[]} inhibitedBy
 * @property {string[]} mutedBy
 * @property {string} version      what changes whenever anything of it does
 *
 * @typedef {object} Group
 * @property {string} key
 * @property {Labels} labels
 * @property {string} receiver     empty: grouped by hand
 * @property {Alert[]} alerts
 * @property {number} [total]     there are so many: not all are there yet
 * @property {Labels} [shared]    labels that all of them have alike, if they are not all there
 */

export const STATES = /** @type {State[]} */ (["active", "silenced", "inhibited", "muted"]);

/** @param {any} status @returns {State} */
function stateOf(status) {
  if (status.silencedBy?.length) return "silenced";
  if (status.inhibitedBy?.length) return "inhibited";
  if (status.mutedBy?.length) return "muted";
  return status.state === "unprocessed" || status.state === "active" ? "active" : "silenced";
}

/** @param {Labels} labels */
export function labelsKey(labels) {
  return JSON.stringify(Object.keys(labels).sort().map((name) => [name, labels[name]]));
}

/**
 * Read an answer to GET alerts/groups. What did not change stays the same object.
 * @param {any[]} answer
 * @param {Map<string, Alert>} old the rows before, by key
 * @returns {Group[]}
 */
export function readGroups(answer, old) {
  /** @type {Map<string, number>} */
  const seen = new Map();
  return answer.map((group) => {
    let key = `${group.receiver.name}\n${labelsKey(group.labels)}`;
    const count = seen.get(key) ?? 0;
    seen.set(key, count + 1);
    if (count) key += `\n${count}`;
    const names = [group.receiver.name];
    const alerts = group.alerts.map((/** @type {any} */ raw) => readAlert(raw, key, names, old));
    alerts.sort(bySeverityAndAge);
    return { key, labels: group.labels, receiver: group.receiver.name, alerts };
  });
}

/** The answer to GET alerts/worst in the form of GET alerts/groups. @param {any[]} groups @param {Map<string, Alert>} old @returns {Group[]} */
export function readWorst(groups, old) {
  const answer = groups.map((group) => ({
    labels: group.labels,
    receiver: { name: group.receiver },
    alerts: group.alerts.map((/** @type {any} */ alert) => ({
      ...alert,
      generatorURL: alert.generatorUrl,
      receivers: alert.receivers.map((/** @type {string} */ name) => ({ name })),
      status: { state: "active" },
    })),
  }));
  return readGroups(answer, old).map((group, i) => ({ ...group, total: groups[i].active, shared: groups[i].shared }));
}

/** Nearly all alerts share it. @type {string[]} */
const NONE = [];

/** @param {string[] | undefined} list */
const listed = (list) => (list?.length ? list : NONE);

/** There may be tens of thousands: what most have alike is made once.
 * @param {any} raw @param {string} group @param {string[]} names of the group's receiver @param {Map<string, Alert>} old
 * @returns {Alert} */
function readAlert(raw, group, names, old) {
  const { status } = raw;
  const [silencedBy, inhibitedBy, mutedBy] = [listed(status.silencedBy), listed(status.inhibitedBy), listed(status.mutedBy)];
  const receivers = raw.receivers.length === 1 && raw.receivers[0].name === names[0] ? names : namesOf(raw.receivers);
  let version = raw.updatedAt + raw.startsAt;
  if (silencedBy !== NONE || inhibitedBy !== NONE || mutedBy !== NONE || receivers !== names) {
    version += ` ${silencedBy} ${inhibitedBy} ${mutedBy} ${receivers}`;
  }
  const key = `${group}\n${raw.fingerprint}`;
  const before = old.get(key);
  if (before && before.version === version && before.state !== "resolved") return before;
  return {
    key,
    fingerprint: raw.fingerprint,
    labels: raw.labels,
    annotations: raw.annotations,
    startsAt: Date.parse(raw.startsAt),
    generatorURL: raw.generatorURL ?? "",
    receivers,
    rank: severityRank(raw.labels),
    state: stateOf(status),
    silencedBy,
    inhibitedBy,
    mutedBy,
    version,
  };
}

/** Each once. @param {{name: string}[]} receivers @returns {string[]} */
function namesOf(receivers) {
  return [...new Set(receivers.map((receiver) => receiver.name))];
}

/** @type {WeakMap<Labels, string>} */
const texts = new WeakMap();

/** All labels and annotations in lower case: made when somebody searches. @param {Alert} alert */
function textOf(alert) {
  let text = texts.get(alert.labels);
  if (text === undefined) {
    const words = [...Object.entries(alert.labels), ...Object.entries(alert.annotations)];
    text = words.map(([name, value]) => `${name}=${value}`).join("\n").toLowerCase();
    texts.set(alert.labels, text);
  }
  return text;
}

const UNKNOWN = SEVERITIES.indexOf(BEFORE) - 0.5;
/** @type {Map<string | undefined, number>} */
const ranks = new Map();

/** How bad, smaller is worse; what is not known comes before info. @param {Labels} labels */
export function severityRank({ severity }) {
  let rank = ranks.get(severity);
  if (rank === undefined) {
    rank = SEVERITIES.indexOf((severity ?? "").toLowerCase());
    if (rank < 0) rank = UNKNOWN;
    if (ranks.size >= 1000) ranks.clear();
    ranks.set(severity, rank);
  }
  return rank;
}

/** critical, warning, info or empty: which colour. @param {Labels} labels */
export function severityClass(labels) {
  const rank = severityRank(labels);
  return rank < 4 ? "critical" : rank < UNKNOWN ? "warning" : rank === UNKNOWN ? "" : "info";
}

/** @param {Alert} a @param {Alert} b */
function bySeverityAndAge(a, b) {
  return a.rank - b.rank || b.startsAt - a.startsAt
    || (a.fingerprint < b.fingerprint ? -1 : 1);
}

/**
 * @typedef {object} Wanted what a reader looks for
 * @property {import("./matchers.js").Matcher[]} matchers
 * @property {string[]} words     in lower case
 * @property {Set<State>} states
 * @property {string} receiver    a regular expression over the whole name; empty: any
 */

/** The same array if nothing is left out. @param {Group[]} groups @param {Wanted} wanted @param {boolean} [anyState] @returns {Group[]} */
export function filterGroups(groups, wanted, anyState = false) {
  /** @type {RegExp | null} */
  let receiver = null;
  if (wanted.receiver) {
    try {
      receiver = new RegExp(`^(?:${wanted.receiver})$`);
    } catch {
      return [];
    }
  }
  const found = [];
  let all = true;
  for (const group of groups) {
    if (receiver && !receiver.test(group.receiver)) continue;
    const alerts = group.alerts.filter(
      (alert) =>
        (anyState || alert.state === "resolved" || wanted.states.has(alert.state))
        && (!wanted.words.length || has(textOf(alert), wanted.words))
        && matchesAll(wanted.matchers, alert.labels),
    );
    const whole = alerts.length === group.alerts.length;
    if (!whole) all = false;
    if (alerts.length) found.push(whole ? group : { ...group, alerts });
  }
  return all && found.length === groups.length ? groups : found;
}

/** @param {string} text @param {string[]} words */
function has(text, words) {
  return words.every((word) => text.includes(word));
}

/** One row for each alert, by hand-picked labels. @param {Group[]} groups @param {string[]} names @returns {Group[]} */
export function regroup(groups, names) {
  /** @type {Map<string, Group>} */
  const found = new Map();
  for (const alert of distinct(groups)) {
    /** @type {Labels} */
    const labels = {};
    for (const name of names) if (alert.labels[name] !== undefined) labels[name] = alert.labels[name];
    const key = `by\n${labelsKey(labels)}`;
    let group = found.get(key);
    if (!group) found.set(key, (group = { key, labels, receiver: "", alerts: [] }));
    group.alerts.push(alert);
  }
  for (const group of found.values()) group.alerts.sort(bySeverityAndAge);
  return [...found.values()];
}

/** What was made of a list, for as long as there is the list: nothing writes into one that it was made of.
 * @template {object} L @template T @param {(list: L) => T} make @returns {(list: L) => T} */
function once(make) {
  /** @type {WeakMap<L, T>} */
  const made = new WeakMap();
  return (list) => {
    let found = made.get(list);
    if (found === undefined) made.set(list, (found = make(list)));
    return found;
  };
}

/** Each alert once, whichever groups it is in. */
export const distinct = once(distinctOf);

/** @param {Group[]} groups @returns {Alert[]} */
function distinctOf(groups) {
  /** @type {Map<string, Alert>} */
  const found = new Map();
  for (const group of groups) {
    for (const alert of group.alerts) {
      const before = found.get(alert.fingerprint);
      // Not muted in one of its groups: it is told to somebody.
      if (!before || (before.state === "muted" && alert.state === "active")) found.set(alert.fingerprint, alert);
    }
  }
  return [...found.values()];
}

/** The worst first, then the fullest. @param {Group[]} groups */
export function sortGroups(groups) {
  const rank = (/** @type {Group} */ group) => (group.alerts.length ? group.alerts[0].rank : 9);
  return [...groups].sort(
    (a, b) => rank(a) - rank(b) || b.alerts.length - a.alerts.length || (a.key < b.key ? -1 : 1),
  );
}

/** Labels that all have alike. @param {Labels[]} sets @returns {Labels} */
export function commonLabels(sets) {
  if (!sets.length) return {};
  const common = { ...sets[0] };
  for (const labels of sets) {
    for (const name of Object.keys(common)) if (labels[name] !== common[name]) delete common[name];
  }
  return common;
}

/**
 * @typedef {{name: string, total: number, values: [string, number][]}} Facet
 */

const FIRST = ["severity", "alertname", "cluster", "region", "namespace", "service", "team", "job", "instance"];

/** How often each value of each label occurs: the telling labels first. */
export const facetsOf = once(countFacets);

/** @param {Alert[]} alerts @returns {Facet[]} */
function countFacets(alerts) {
  /** @type {Map<string, Map<string, number>>} */
  const counts = new Map();
  for (const alert of alerts) {
    for (const name in alert.labels) {
      let values = counts.get(name);
      if (!values) counts.set(name, (values = new Map()));
      const value = alert.labels[name];
      values.set(value, (values.get(value) ?? 0) + 1);
    }
  }
  const place = (/** @type {string} */ name) => (FIRST.indexOf(name) + 1 || 99);
  return [...counts]
    .map(([name, values]) => ({
      name,
      total: [...values.values()].reduce((sum, count) => sum + count, 0),
      // Of very many values nearly all occur once: to order those by name costs more than it tells.
      values: [...values].sort(values.size > 1000 ? (a, b) => b[1] - a[1] : (a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)),
    }))
    .sort((a, b) => place(a.name) - place(b.name) || b.total - a.total || (a.name < b.name ? -1 : 1));
}
