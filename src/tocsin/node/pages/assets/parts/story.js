// The parts of an explanation: states at nodes, groups with their verdicts, what became of it, routes.
import { html, useState } from "../core/html.js";
import { hrefTo } from "../core/router.js";
import { formatMatchers, matchersOf } from "../core/matchers.js";
import { useStore } from "../core/store.js";
import { settings } from "../core/settings.js";
import { moment } from "../core/time.js";
import { Ago, useNow } from "./basics.js";

const KINDS = { sent: "good", "sent by a peer": "good", muted: "", failed: "bad", "not needed": "", "under way": "warn", "would have sent": "" };
const SHOWN = 30;

/** @param {{story: any, nodes: any[]}} props */
export function AtNodes({ story, nodes }) {
  const partial = nodes.filter((one) => one.answer !== "answered");
  return html`<ul class="at-nodes">${story.nodes.map((/** @type {any} */ one) => html`<li>
      <code>${one.node || "this node"}</code>
      <span class=${one.state === "firing" ? "badge bad" : "badge"}>${one.state}</span>
      ${one.since && html`<span class="quiet">for <${Ago} at=${Date.parse(one.since)} /></span>`}
      ${one.inhibitedBy && html`<span>inhibited by ${one.inhibitedBy}</span>`}
      ${one.silencedBy.map((/** @type {string} */ id) => html`<a href=${hrefTo(`silences/${id}`)}>silence ${id.slice(0, 8)}</a>`)}
    </li>`)}
    ${partial.map((one) => html`<li><code>${one.node}</code> <span class="badge">${one.answer}</span> <span class="quiet">${one.why}</span></li>`)}</ul>`;
}

/** @param {{story: any}} props */
export function Groups({ story }) {
  const now = useNow();
  return story.groups.map((/** @type {any} */ group) => html`<div class="panel">
    <p><b>${group.receiver}</b> <code>${formatMatchers(matchersOf(group.labels)) || "one group for all"}</code>
      ${group.mutedBy.map((/** @type {string} */ name) => html`<span class="badge warn">muted by ${name}</span>`)}
      ${group.nextFlush && html`<span class="quiet">${Date.parse(group.nextFlush) > now ? html`looked at next in <${Ago} at=${Date.parse(group.nextFlush)} until />` : "due now"}</span>`}</p>
    <p class="verdict">${group.verdict}</p>
  </div>`);
}

/** Newest first, of all groups. @param {{story: any}} props */
export function Told({ story }) {
  const { utc } = useStore(settings);
  const [all, setAll] = useState(false);
  /** @type {any[]} */
  const told = story.groups.flatMap((/** @type {any} */ group) => group.told.map((/** @type {any} */ one) => ({ ...one, receiver: group.receiver })));
  told.sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
  if (!told.length) return html`<p class="quiet">Nothing yet.</p>`;
  return html`<ol class="timeline">${(all ? told : told.slice(0, SHOWN)).map((one) => html`<li class=${KINDS[/** @type {keyof typeof KINDS} */ (one.what)] ?? ""}>
      <time datetime=${one.at}>${moment(Date.parse(one.at), utc)}</time>
      <span class=${`badge ${KINDS[/** @type {keyof typeof KINDS} */ (one.what)] ?? ""}`}>${one.what}</span>
      <b>${one.integration || one.receiver}</b> ${one.resolved && html`<span class="badge">that it has ended</span>`}
      ${one.node && html`<span class="quiet">by <code>${one.node}</code></span>`}
      <span>${one.why}</span>
      ${one.againAt && html`<span class="quiet">again at ${moment(Date.parse(one.againAt), utc)}</span>`}
    </li>`)}</ol>
    ${told.length > SHOWN && html`<button class="plain" onClick=${() => setAll(!all)}>${all ? "fewer" : `${told.length - SHOWN} more`}</button>`}`;
}

/** @param {{routes: any[]}} props */
export function RoutesTaken({ routes }) {
  return html`<ul class="routes-taken">${routes.map((route) => html`<li class=${route.taken ? "taken" : ""}>
    <span class=${route.taken ? "badge good" : "badge"}>${route.taken ? "taken" : "not taken"}</span> → <b>${route.receiver}</b>
    <code class="quiet">${route.id}</code> <span class="quiet">${route.why}</span></li>`)}</ul>`;
}
