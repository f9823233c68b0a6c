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

/** Every matcher of every `filter`; the last problem. @param {URLSearchParams} query */
export function readFilters(query) {
  /** @type {import("./matchers.js").Matcher[]} */
  const matchers = [];
  let problem = "";
  for (const filter of query.getAll("filter")) {
    try {
      matchers.push(...parseMatchers(filter));
    } catch (error) {
      problem = `The address has a filter that cannot be read: ${/** @type {Error} */ (error).message}.`;
    }
  }
  return { matchers, problem };
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
