// What a silence would mute: at once by this browser, and a moment later as the node itself matches.
import { html, useMemo } from "../core/html.js";
import { formatMatcher, matchesAll, readable } from "../core/matchers.js";
import { alertsMatching } from "../core/node.js";
import { useAnswer } from "../core/tocsin.js";
import { AlertLine } from "./alertline.js";

const SHOWN = 100;
/** After a change, before the node is asked: milliseconds. */
const PAUSE = 250;

/**
 * @typedef {{count: number, alerts: import("../core/model.js").Alert[], each: number[], sure: boolean, problem: string}} Matching
 * `each`: for each set alone. `sure`: the node said so.
 */

/** What at least one of several sets takes; one without matchers takes nothing.
 * @param {import("../core/matchers.js").Matcher[][]} sets @param {import("../core/model.js").Alert[]} alerts @returns {Matching} */
export function useMatching(sets, alerts) {
  const filters = sets.map((matchers) => matchers.map(formatMatcher));
  const asked = JSON.stringify(filters);
  const { value, problem } = useAnswer(async (signal) => {
    if (filters.some((each) => each.length)) await pause(PAUSE, signal);
    const found = [];
    for (const each of filters) {
      const list = each.length ? await alertsMatching(each, signal) : [];
      found.push(new Set(list.map((/** @type {any} */ alert) => alert.fingerprint)));
    }
    return { asked, found };
  }, [asked], alerts);
  return useMemo(() => {
    if (filters.every((each) => !each.length)) return { count: 0, alerts: [], each: filters.map(() => 0), sure: true, problem: "" };
    if (value?.asked === asked && !problem) {
      const all = new Set(value.found.flatMap((found) => [...found]));
      const each = value.found.map((found) => found.size);
      return { count: all.size, alerts: alerts.filter((alert) => all.has(alert.fingerprint)), each, sure: true, problem: "" };
    }
    const takes = sets.map((matchers) => (matchers.length && readable(matchers) ? alerts.filter((alert) => matchesAll(matchers, alert.labels)) : []));
    const found = [...new Set(takes.flat())];
    return { count: found.length, alerts: found, each: takes.map((list) => list.length), sure: false, problem };
  }, [asked, alerts, value, problem]);
}

/** Somebody goes on typing. @param {number} milliseconds @param {AbortSignal} signal @returns {Promise<void>} */
function pause(milliseconds, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      done();
    });
  });
}

/** @param {{matching: Matching, total: number | null, picked: Set<string>}} props `total`: null while it is not known */
export function Preview({ matching, total, picked }) {
  const { alerts, count, sure, problem } = matching;
  if (total === null) return html`<section class="preview" aria-label="What it mutes now" aria-busy><h2>Asking the node…</h2></section>`;
  const others = picked.size ? alerts.filter((alert) => !picked.has(alert.fingerprint)).length : 0;
  return html`<section class="preview" aria-label="What it mutes now" aria-live="polite" aria-busy=${!sure}>
    <h2>Mutes <b>${count}</b> of ${total} now</h2>
    ${problem && html`<p class="problem">${problem}</p>`}
    ${others > 0 && html`<p class="banner warn">${others} of them you did not select.</p>`}
    ${count === 0 && !problem && html`<p class="quiet">No alert that there is now; it waits for those to come.</p>`}
    <ul class="lines">${alerts.slice(0, SHOWN).map(
      (alert) => html`<${AlertLine} key=${alert.fingerprint} alert=${alert} mark=${picked.size && !picked.has(alert.fingerprint) ? "not selected" : ""} />`,
    )}</ul>
    ${count > SHOWN && html`<p class="quiet">and ${count - SHOWN} more</p>`}
  </section>`;
}
