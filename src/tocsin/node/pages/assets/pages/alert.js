// One alert, and why it was told or not: its state at each node, the routes it took, what became of it.
import { html, useState } from "../core/html.js";
import { useStore } from "../core/store.js";
import { live, refresh } from "../core/live.js";
import { hrefTo } from "../core/router.js";
import { formatMatchers } from "../core/matchers.js";
import { severityClass } from "../core/model.js";
import { node } from "../core/node.js";
import { ask, useAnswer } from "../core/tocsin.js";
import { word } from "../core/commands.js";
import { Acknowledge } from "../parts/acknowledge.js";
import { CopyAs, Waiting } from "../parts/basics.js";
import { AlertDetails, LabelChip, State, labelsWithout, summaryOf } from "../parts/alertrow.js";
import { AtNodes, Groups, RoutesTaken, Told } from "../parts/story.js";

/** @param {{id: string}} props */
export function AlertPage({ id }) {
  const now = useStore(live);
  const [acking, setAcking] = useState(false);
  const { value: explained, problem } = useAnswer((signal) => ask(`explain?fingerprint=${encodeURIComponent(id)}`, signal), [id], now.changes);
  if (!now.loaded) return html`<${Waiting} live=${now} />`;
  const rows = now.groups.flatMap((group) => group.alerts.filter((alert) => alert.fingerprint === id));
  const alert = rows.find((one) => one.state === "active") ?? rows[0];
  const story = explained?.stories[0];
  const labels = alert?.labels ?? story?.labels;
  if (!labels) {
    if (!explained && !problem) return html`<${Waiting} live=${now} />`;
    return html`<p class="empty">No such alert fires now. ${problem} <a href="#/alerts">All alerts</a></p>`;
  }
  const pick = (/** @type {any} */ m) => { location.hash = hrefTo("alerts", { filter: formatMatchers([m]) }); };
  return html`<div class="page narrow">
    <h1 class=${severityClass(labels)}>${labels.alertname ?? id} ${alert ? html`<${State} alert=${alert} />` : html`<span class="badge">does not fire now</span>`}
      ${alert && !node.readOnly && html`<button class="small" onClick=${() => setAcking(true)}>Ack</button>`}</h1>
    ${alert && html`<p class="lead">${summaryOf(alert.annotations)}</p>`}
    ${alert ? html`<${AlertDetails} alert=${alert} onPick=${pick} self />`
      : html`<div class="line">${labelsWithout(labels, {}).map((name) => html`<${LabelChip} name=${name} value=${labels[name]} onPick=${pick} />`)}</div>`}
    <h2>Why</h2>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${!explained && !problem && html`<p class="quiet">Asking the nodes…</p>`}
    ${story && html`
      <${AtNodes} story=${story} nodes=${explained.nodes} />
      <${Groups} story=${story} />
      <h2>What became of it</h2>
      <${Told} story=${story} />
      <h2>Routes</h2>
      <${RoutesTaken} routes=${story.routes} />
      <p class="buttons"><a class="button small" href=${hrefTo("routes", { labels: Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ") })}>On the tree</a>
        <${CopyAs} commands=${[["the story", story.text], ["tocsinctl", `tocsinctl --alertmanager.url=${word(node.base.replace(/\/$/, ""))} explain ${word(id)}`]]} label="Copy" /></p>`}
    ${acking && html`<${Acknowledge} what=${[{ alert: id, labels }]} onClose=${() => setAcking(false)} onDone=${refresh} />`}
  </div>`;
}
