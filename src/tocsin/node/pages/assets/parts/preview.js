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
 * @typedef {{count: number, alerts: import("../core/model.js").Alert[], sure: boolean, problem: string}} Matching
 * `sure`: the node said so.
 */

/** @param {import("../core/matchers.js").Matcher[]} matchers @param {import("../core/model.js").Alert[]} alerts @returns {Matching} */
export function useMatching(matchers, alerts) {
  const filters = matchers.map(formatMatcher);
  const asked = filters.join("\n");
  const { value, problem } = useAnswer(async (signal) => {
    if (!matchers.length) return { asked, found: new Set() };
    await pause(PAUSE, signal);
    const found = await alertsMatching(filters, signal);
    return { asked, found: new Set(found.map((/** @type {any} */ alert) => alert.fingerprint)) };
  }, [asked], alerts);
  return useMemo(() => {
    if (!matchers.length) return { count: 0, alerts: [], sure: true, problem: "" };
    if (value?.asked === asked && !problem) {
      return { count: value.found.size, alerts: alerts.filter((alert) => value.found.has(alert.fingerprint)), sure: true, problem: "" };
    }
    const found = readable(matchers) ? alerts.filter((alert) => matchesAll(matchers, alert.labels)) : [];
    return { count: found.length, alerts: found, sure: false, problem };
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
