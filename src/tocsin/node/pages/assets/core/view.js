// What the alerts page shows, kept in its address as Alertmanager's page does.
import { formatMatchers, parseMatchers } from "./matchers.js";
import { hrefTo, replaceHash } from "./router.js";

/**
 * @typedef {object} View
 * @property {import("./matchers.js").Matcher[]} matchers
 * @property {string} words
 * @property {Set<import("./model.js").State>} states
 * @property {string} receiver
 * @property {string[] | null} by   labels to group by; null: as routed
 * @property {string} problem       with a filter of the address
 */

/** Every matcher of every `filter`; each `or`, a further set of matchers of a silence; the last problem. @param {URLSearchParams} query */
export function readFilters(query) {
  let problem = "";
  const read = (/** @type {string} */ filter) => {
    try {
      return parseMatchers(filter);
    } catch (error) {
      problem = `The address has a filter that cannot be read: ${/** @type {Error} */ (error).message}.`;
      return [];
    }
  };
  const matchers = query.getAll("filter").flatMap(read);
  const or = query.getAll("or").map(read).filter((set) => set.length);
  return { matchers, or, problem };
}

/** @param {URLSearchParams} query @returns {View} */
export function readView(query) {
  const on = (/** @type {string} */ name, /** @type {boolean} */ usual) =>
    query.has(name) ? query.get(name) !== "false" : usual;
  const states = new Set(/** @type {import("./model.js").State[]} */ ([]));
  if (on("active", true)) states.add("active");
  for (const state of /** @type {const} */ (["silenced", "inhibited", "muted"])) if (on(state, false)) states.add(state);
  const group = query.get("group") ?? "";
  const custom = on("customGrouping", group !== "");
  return {
    ...readFilters(query),
    words: query.get("q") ?? "",
    states,
    receiver: query.get("receiver") ?? "",
    by: custom ? group.split(",").map((name) => name.trim()).filter(Boolean) : null,
  };
}

/** Whether nothing is asked for but what is active, as it is notified. @param {View} view */
export function isUsual(view) {
  const { matchers, words, states, receiver, by, problem } = view;
  return !matchers.length && !words && !receiver && by === null && !problem && states.size === 1 && states.has("active");
}

/** @param {View} view */
export function showView(view) {
  replaceHash(
    hrefTo("alerts", {
      filter: formatMatchers(view.matchers),
      q: view.words,
      active: view.states.has("active") ? "" : "false",
      silenced: view.states.has("silenced"),
      inhibited: view.states.has("inhibited"),
      muted: view.states.has("muted"),
      receiver: view.receiver,
      group: view.by?.join(",") ?? "",
      customGrouping: view.by !== null,
    }),
  );
}
