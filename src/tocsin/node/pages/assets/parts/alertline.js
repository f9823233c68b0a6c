// An alert in one line, in lists beside other things.
import { html } from "../core/html.js";
import { hrefTo } from "../core/router.js";
import { severityClass } from "../core/model.js";
import { State, labelsWithout, summaryOf } from "./alertrow.js";
import { Ago } from "./basics.js";

/** @param {{alert: import("../core/model.js").Alert, mark?: string}} props */
export function AlertLine({ alert, mark = "" }) {
  const labels = labelsWithout(alert.labels, { alertname: alert.labels.alertname });
  return html`<li class=${`alert-line ${severityClass(alert.labels)}`}>
    <a href=${hrefTo(`alerts/${alert.fingerprint}`)}>${alert.labels.alertname ?? alert.fingerprint}</a>
    ${mark && html`<span class="badge warn">${mark}</span>`}
    ${alert.state !== "active" && html`<${State} alert=${alert} />`}
    <span class="text">${labels.map((name) => `${name}=${alert.labels[name]}`).join("  ") || summaryOf(alert.annotations)}</span>
    <span class="age"><${Ago} at=${alert.startsAt} /></span>
  </li>`;
}
