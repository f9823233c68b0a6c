// Who is told, how that went, and a test of it.
import { html, useState } from "../core/html.js";
import { useStore } from "../core/store.js";
import { live } from "../core/live.js";
import { hrefTo } from "../core/router.js";
import { readAll, tell, useAnswer } from "../core/tocsin.js";
import { node } from "../core/node.js";
import { Ago, Confirm, Waiting, say } from "../parts/basics.js";

/** So long may a test of all integrations of a receiver take, in milliseconds. */
const TEST_TAKES = 180_000;

export function ReceiversPage() {
  const now = useStore(live);
  const [words, setWords] = useState("");
  const { value: receivers, problem } = useAnswer((signal) => readAll("receivers", signal), [], now.changes);
  if (!receivers) return problem ? html`<p class="banner bad" role="alert">${problem}</p>` : html`<${Waiting} live=${now} />`;
  const wanted = words.toLowerCase();
  const shown = receivers.filter((one) => `${one.name} ${one.integrations.map((/** @type {any} */ each) => each.kind).join(" ")}`.toLowerCase().includes(wanted));
  const failing = shown.filter((one) => one.integrations.some((/** @type {any} */ each) => each.failing > 0));
  return html`<div class="page">
    <h1>Receivers ${failing.length > 0 && html`<span class="badge bad">${failing.length} failing</span>`}</h1>
    <p class="quiet">What is counted is counted at this node since it was started.</p>
    <p class="tools"><input id="search" type="search" value=${words} placeholder="Find" aria-label="Find a receiver" onInput=${(/** @type {any} */ event) => setWords(event.target.value)} /></p>
    ${[...failing, ...shown.filter((one) => !failing.includes(one))].map((one) => html`<${Receiver} key=${one.name} receiver=${one} />`)}
  </div>`;
}

/** @param {{receiver: any}} props */
function Receiver({ receiver }) {
  const [asking, setAsking] = useState(false);
  const [tested, setTested] = useState(/** @type {any} */ (null));
  const labels = Object.entries(receiver.labels).filter(([name]) => name !== "name");
  const test = async () => {
    try {
      setTested(await tell(`receivers/${encodeURIComponent(receiver.name)}/test`, {}, TEST_TAKES));
    } catch (error) {
      say(/** @type {Error} */ (error).message, true);
    }
  };
  return html`<section class="receiver">
    <header><h2>${receiver.name}</h2>
      ${labels.map(([name, value]) => html`<span class="chip">${name}=${String(value)}</span>`)}
      ${!receiver.used && html`<span class="badge warn">no route leads here</span>`}
      <a href=${hrefTo("alerts", { receiver: receiver.name, silenced: "true", inhibited: "true", muted: "true" })}>${receiver.alerts} alert${receiver.alerts === 1 ? "" : "s"} in ${receiver.groups} group${receiver.groups === 1 ? "" : "s"}</a>
      ${!node.readOnly && receiver.integrations.length > 0 && html`<button class="small" aria-label=${`Send a test to ${receiver.name}`} onClick=${() => setAsking(true)}>Send a test</button>`}
    </header>
    ${receiver.integrations.length === 0 ? html`<p class="quiet">It has no integrations: nobody is told.</p>` : html`<div class="scroll" tabindex="0" role="region" aria-label=${`Integrations of ${receiver.name}`}><table>
      <thead><tr><th>Integration</th><th>Last success</th><th>Last failure</th><th>Sent</th><th>Failed</th><th>Latency</th></tr></thead>
      <tbody>${receiver.integrations.map((/** @type {any} */ one) => html`<tr>
        <td>${one.kind}[${one.index}] ${one.failing > 0 && html`<span class="badge bad">failing ×${one.failing}</span>`}${!one.sendResolved && html` <span class="badge">not told of the end</span>`}</td>
        <td>${one.lastSuccess ? html`<${Ago} at=${Date.parse(one.lastSuccess)} /> ago` : html`<span class="quiet">never</span>`}</td>
        <td>${one.lastFailure ? html`<${Ago} at=${Date.parse(one.lastFailure)} /> ago: <b>${one.reason}</b> ${one.error}` : html`<span class="quiet">never</span>`}</td>
        <td>${one.sent}</td><td>${one.failed}${one.givenUp > 0 && html` <span class="badge bad">${one.givenUp} given up</span>`}</td>
        <td>${one.latency ? `${milliseconds(one.latency)}, at most ${milliseconds(one.slowest)}` : ""}</td></tr>`)}</tbody>
    </table></div>`}
    ${tested && html`<ul class=${tested.taken ? "banner good" : "banner bad"} role="status">${tested.integrations.map((/** @type {any} */ one) => html`<li>
      <b>${one.name}</b> ${one.taken ? `took it in ${milliseconds(one.took)}` : `did not take it: ${one.reason} ${one.error}`}${one.status ? ` (status ${one.status})` : ""} ${one.hint}</li>`)}</ul>`}
    ${asking && html`<${Confirm} title=${`Send a test to ${receiver.name}?`} verb="Send" onClose=${() => setAsking(false)} onDo=${test}>
      <p>One notification goes out at once, by ${receiver.integrations.map((/** @type {any} */ one) => one.kind).join(", ")}. It says that it is a test.</p><//>`}
  </section>`;
}

/** @param {number} seconds */
const milliseconds = (seconds) => (seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`);
