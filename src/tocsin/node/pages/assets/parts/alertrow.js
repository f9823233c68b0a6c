// One alert of a list, and what is seen when it is opened.
import { html } from "../core/html.js";
import { hrefTo } from "../core/router.js";
import { formatMatchers, matcher, matchersOf } from "../core/matchers.js";
import { severityClass } from "../core/model.js";
import { alertCommands } from "../core/commands.js";
import { node } from "../core/node.js";
import { Ago, CopyAs, Linked, Out, When, isWeb } from "./basics.js";

const SUMMARIES = ["summary", "title", "message", "description"];
const STATE_WORDS = { active: "firing", silenced: "silenced", inhibited: "inhibited", muted: "muted", resolved: "ended" };

/** The annotation that says most in one line. @param {Record<string, string>} annotations */
export function summaryOf(annotations) {
  for (const name of SUMMARIES) if (annotations[name]) return annotations[name];
  return Object.values(annotations).find((value) => !isWeb(value)) ?? "";
}

/** Named links out of annotations and source. @param {import("../core/model.js").Alert} alert @returns {[string, string][]} */
export function linksOf(alert) {
  /** @type {[string, string][]} */
  const found = [];
  for (const [name, value] of Object.entries(alert.annotations)) {
    if (isWeb(value)) found.push([name.replace(/_?ur[li]$/i, "").replace(/_/g, " ") || name, value]);
  }
  found.sort((a, b) => Number(!/runbook/i.test(a[0])) - Number(!/runbook/i.test(b[0])));
  if (isWeb(alert.generatorURL)) found.push(["source", alert.generatorURL]);
  return found;
}

/** @param {{alert: import("../core/model.js").Alert}} props */
export function State({ alert }) {
  return html`<span class=${`state ${alert.state}`}>${STATE_WORDS[alert.state]}</span>`;
}

/**
 * A label; pressing it looks for alerts that have it, with Shift for those that do not.
 * @param {{name: string, value: string, onPick?: (m: import("../core/matchers.js").Matcher) => void, quiet?: boolean}} props
 */
export function LabelChip({ name, value, onPick, quiet = false }) {
  const severity = name === "severity" ? severityClass({ severity: value }) : "";
  const text = html`<span class="name">${name}</span>=<span class="value">${value}</span>`;
  const kind = `chip ${severity} ${quiet ? "quiet" : ""}`;
  if (!onPick) return html`<span class=${kind}>${text}</span>`;
  return html`<button class=${kind} title="Show only these; Shift: all others"
    onClick=${(/** @type {MouseEvent} */ event) => {
      event.stopPropagation();
      onPick(matcher(name, event.shiftKey ? "!=" : "=", value));
    }}>${text}</button>`;
}

/** @param {Record<string, string>} labels @param {Record<string, string>} without */
export function labelsWithout(labels, without) {
  return Object.keys(labels)
    .filter((name) => without[name] !== labels[name])
    .sort((a, b) => Number(b === "severity") - Number(a === "severity") || (a < b ? -1 : 1));
}

/**
 * @param {object} props
 * @param {import("../core/model.js").Alert} props.alert
 * @param {Record<string, string>} props.shared   labels that its group shows
 * @param {boolean} props.selected
 * @param {boolean} props.open
 * @param {boolean} props.current   the keyboard stands on it
 * @param {{select(): void, open(): void, enter(): void, pick(m: import("../core/matchers.js").Matcher): void}} props.on
 */
export function AlertRow({ alert, shared, selected, open, current, on }) {
  const own = labelsWithout(alert.labels, { ...shared, alertname: alert.labels.alertname });
  const name = alert.labels.alertname ?? alert.fingerprint;
  const summary = summaryOf(alert.annotations);
  const links = linksOf(alert).slice(0, 3);
  return html`<article class=${`alert ${severityClass(alert.labels)} ${alert.state} ${selected ? "selected" : ""} ${current ? "current" : ""}`}
    tabindex=${current ? 0 : -1} aria-label=${`${name}, ${STATE_WORDS[alert.state]}${summary ? `: ${summary}` : ""}`} onFocus=${on.enter}>
    <label class="pick"><input type="checkbox" checked=${selected} aria-label=${`Select ${name}: ${summary || own.map((n) => alert.labels[n]).join(" ")}`} onChange=${on.select} /></label>
    <div class="what" onClick=${(/** @type {any} */ event) => {
      if (!event.target.closest("a, button, input") && !getSelection()?.toString()) on.open();
    }}>
      <div class="line">
        ${alert.state !== "active" && html`<${State} alert=${alert} />`}
        ${shared.alertname === undefined && html`<span class="title">${name}</span>`}
        ${own.map((each) => html`<${LabelChip} key=${each} name=${each} value=${alert.labels[each]} onPick=${on.pick} />`)}
      </div>
      ${(summary || !own.length) && !open && html`<p class="summary">${summary || name}</p>`}
    </div>
    <div class="side">
      ${links.map(([text, href]) => html`<${Out} href=${href} class="link">${text}<//>`)}
      <span class="age" title="since"><${Ago} at=${alert.startsAt} /></span>
      <button class="plain" aria-expanded=${open} aria-label=${`Details of ${name}`} onClick=${on.open}>${open ? "▾" : "▸"}</button>
    </div>
    ${open && html`<${AlertDetails} alert=${alert} onPick=${on.pick} />`}
  </article>`;
}

/** @param {{alert: import("../core/model.js").Alert, onPick?: (m: import("../core/matchers.js").Matcher) => void, self?: boolean}} props
 * `self`: on the alert's own page */
export function AlertDetails({ alert, onPick, self = false }) {
  const matchers = matchersOf(alert.labels);
  const notes = Object.entries(alert.annotations);
  return html`<div class="details">
    ${notes.length > 0 && html`<dl class="notes-list">${notes.map(
      ([name, value]) => html`<dt>${name}</dt><dd><${Linked} text=${value} /></dd>`,
    )}</dl>`}
    <div class="line">${labelsWithout(alert.labels, {}).map(
      (each) => html`<${LabelChip} name=${each} value=${alert.labels[each]} onPick=${onPick} />`,
    )}</div>
    <p class="facts">
      <span>since <${When} at=${alert.startsAt} /></span>
      <span>to ${alert.receivers.join(", ")}</span>
      ${isWeb(alert.generatorURL) && html`<${Out} href=${alert.generatorURL}>source<//>`}
      ${alert.silencedBy.map((id) => html`<a href=${hrefTo(`silences/${id}`)}>silenced by ${id.slice(0, 8)}</a>`)}
      ${alert.inhibitedBy.map((id) => html`<a href=${hrefTo(`alerts/${id}`)}>inhibited by ${id.slice(0, 8)}</a>`)}
      ${alert.mutedBy.length > 0 && html`<span>muted by ${alert.mutedBy.join(", ")}</span>`}
    </p>
    <p class="buttons">
      ${!self && html`<a class="button" href=${hrefTo(`alerts/${alert.fingerprint}`)}>Why</a>`}
      ${!node.readOnly && html`<a class="button" href=${hrefTo("silences/new", { filter: formatMatchers(matchers) })}>Silence</a>`}
      <${CopyAs} commands=${alertCommands(matchers)} />
    </p>
  </div>`;
}
