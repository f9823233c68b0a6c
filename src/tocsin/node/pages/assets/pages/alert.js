// One alert: all that is known of it.
import { html } from "../core/html.js";
import { useStore } from "../core/store.js";
import { live } from "../core/live.js";
import { hrefTo } from "../core/router.js";
import { formatMatchers } from "../core/matchers.js";
import { severityClass } from "../core/model.js";
import { Waiting } from "../parts/basics.js";
import { AlertDetails, State, summaryOf } from "../parts/alertrow.js";

/** @param {{id: string}} props */
export function AlertPage({ id }) {
  const now = useStore(live);
  if (!now.loaded) return html`<${Waiting} live=${now} />`;
  const rows = now.groups.flatMap((group) => group.alerts.filter((alert) => alert.fingerprint === id).map((alert) => ({ group, alert })));
  if (!rows.length) return html`<p class="empty">No such alert fires now. <a href="#/alerts">All alerts</a></p>`;
  const { alert } = rows[0];
  return html`<div class="page narrow">
    <h1 class=${severityClass(alert.labels)}>${alert.labels.alertname ?? alert.fingerprint} <${State} alert=${alert} /></h1>
    <p class="lead">${summaryOf(alert.annotations)}</p>
    <${AlertDetails} alert=${alert} onPick=${(/** @type {any} */ m) => { location.hash = hrefTo("alerts", { filter: formatMatchers([m]) }); }} />
    <h2>Groups</h2>
    <table><thead><tr><th>Receiver</th><th>Group</th><th>Alerts in it</th><th>State there</th></tr></thead>
      <tbody>${rows.map(({ group, alert }) => html`<tr><td>${group.receiver}</td>
        <td><code>${formatMatchers(Object.entries(group.labels).map(([name, value]) => ({ name, value, isRegex: false, isEqual: true }))) || "{}"}</code></td>
        <td>${group.alerts.length}</td><td><${State} alert=${alert} /></td></tr>`)}</tbody></table>
  </div>`;
}
