// The head of a group of alerts: its labels, how bad it is, and what can be done to all of it.
import { html } from "../core/html.js";
import { hrefTo } from "../core/router.js";
import { formatMatchers, matchersOf } from "../core/matchers.js";
import { severityClass } from "../core/model.js";
import { node } from "../core/node.js";
import { LabelChip } from "./alertrow.js";

/**
 * @param {object} props
 * @param {import("../core/model.js").Group} props.group
 * @param {Record<string, string>} props.shared  labels that all of it have
 * @param {boolean} props.closed
 * @param {Set<string>} props.selected
 * @param {() => void} props.onFold
 * @param {() => void} props.onAck
 * @param {(on: boolean) => void} props.onSelect
 * @param {(m: import("../core/matchers.js").Matcher) => void} props.onPick
 */
export function GroupHeader({ group, shared, closed, selected, onFold, onAck, onSelect, onPick }) {
  const { alerts, labels } = group;
  const all = selected.size > 0 && group.total === undefined && alerts.every((alert) => selected.has(alert.key));
  const some = !all && selected.size > 0 && alerts.some((alert) => selected.has(alert.key));
  const names = Object.keys(labels).sort((a, b) => Number(b === "alertname") - Number(a === "alertname") || (a < b ? -1 : 1));
  const more = Object.keys(shared).filter((name) => !(name in labels)).sort();
  const title = labels.alertname ?? (names.length ? names.map((name) => labels[name]).join(" ") : "all alerts");
  const worst = severityClass(alerts[0]?.labels ?? {});
  return html`<div class=${`group ${worst}`}>
    <label class="pick"><input type="checkbox" disabled=${group.total !== undefined} checked=${all} indeterminate=${some} aria-label=${`Select all of ${title}`} onChange=${() => onSelect(!all)} /></label>
    <button class="plain fold" aria-expanded=${!closed} aria-label=${`Alerts of ${title}`} onClick=${onFold}>${closed ? "▸" : "▾"}</button>
    <div class="line">
      ${names.length === 0 && html`<b>${group.receiver ? "one group for all" : "all alerts"}</b>`}
      ${names.map((name) => name === "alertname"
        ? html`<button class="title" title="Show only these" onClick=${() => onPick(matchersOf({ alertname: labels.alertname })[0])}>${labels.alertname}</button>`
        : html`<${LabelChip} name=${name} value=${labels[name]} onPick=${onPick} />`)}
      ${more.map((name) => html`<${LabelChip} name=${name} value=${shared[name]} onPick=${onPick} quiet />`)}
    </div>
    <div class="side">
      ${group.receiver && html`<span class="quiet" title="receiver">→ ${group.receiver}</span>`}
      <span class="count">${group.total ?? alerts.length}</span>
      ${!node.readOnly && group.receiver && html`<button class="small" title="Silence it until it has ended" aria-label=${`Ack: ${title}`} onClick=${onAck}>Ack</button>`}
      ${!node.readOnly && html`<a class="button small" href=${hrefTo("silences/new", { filter: formatMatchers(matchersOf(names.length ? labels : shared)) })}
        aria-label=${`Silence ${title}`}>Silence</a>`}
    </div>
  </div>`;
}
