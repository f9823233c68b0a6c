// What a silence would mute: at once by this browser, and a moment later as the node itself matches.
import { html, useEffect, useMemo, useState } from "../core/html.js";
import { formatMatcher, matchesAll, readable } from "../core/matchers.js";
import { alertsMatching } from "../core/node.js";
import { AlertLine } from "./alertline.js";

const SHOWN = 100;

/**
 * @typedef {{count: number, alerts: import("../core/model.js").Alert[], sure: boolean, problem: string}} Matching
 * `sure`: the node said so.
 */

/** @param {import("../core/matchers.js").Matcher[]} matchers @param {import("../core/model.js").Alert[]} alerts @returns {Matching} */
export function useMatching(matchers, alerts) {
  const filters = matchers.map(formatMatcher);
  const asked = filters.join("\n");
  const [said, setSaid] = useState(/** @type {{asked: string, found: Set<string>, problem: string}} */ ({ asked: "", found: new Set(), problem: "" }));
  useEffect(() => {
    if (!matchers.length) return undefined;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      alertsMatching(filters, stop.signal).then(
        (found) => setSaid({ asked, found: new Set(found.map((/** @type {any} */ alert) => alert.fingerprint)), problem: "" }),
        (error) => error.name !== "AbortError" && setSaid({ asked, found: new Set(), problem: error.message }),
      );
    }, 250);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [asked, alerts]);
  return useMemo(() => {
    if (!matchers.length) return { count: 0, alerts: [], sure: true, problem: "" };
    if (said.asked === asked && !said.problem) {
      return { count: said.found.size, alerts: alerts.filter((alert) => said.found.has(alert.fingerprint)), sure: true, problem: "" };
    }
    const found = readable(matchers) ? alerts.filter((alert) => matchesAll(matchers, alert.labels)) : [];
    return { count: found.length, alerts: found, sure: false, problem: said.asked === asked ? said.problem : "" };
  }, [asked, alerts, said]);
}

/** @param {{matching: Matching, total: number, picked: Set<string>}} props */
export function Preview({ matching, total, picked }) {
  const { alerts, count, sure, problem } = matching;
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
