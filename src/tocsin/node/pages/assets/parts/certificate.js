// A certificate as an auditor asks for it.
import { html } from "../core/html.js";
import { useStore } from "../core/store.js";
import { settings } from "../core/settings.js";
import { DAY, duration, moment } from "../core/time.js";
import { useNow } from "./basics.js";

const SOON = 14 * DAY;

/** How long it is still good. @param {{certificate: any}} props */
export function Expiry({ certificate }) {
  const now = useNow();
  const { utc } = useStore(settings);
  const left = Date.parse(certificate.notAfter) - now;
  const kind = left < 0 ? "badge bad" : left < SOON ? "badge warn" : "quiet";
  return html`<span class=${kind} title=${moment(Date.parse(certificate.notAfter), utc)}>${left < 0 ? `expired ${duration(-left)} ago` : `expires in ${duration(left)}`}</span>`;
}

/** @param {{certificate: any}} props */
export function Certificate({ certificate }) {
  const { utc } = useStore(settings);
  return html`<dl class="facts-list">
    <dt>Subject</dt><dd><code>${certificate.subject}</code></dd>
    ${certificate.names.length > 0 && html`<dt>Names</dt><dd>${certificate.names.join(", ")}</dd>`}
    <dt>Issuer</dt><dd><code>${certificate.issuer}</code></dd>
    <dt>Valid</dt><dd>${moment(Date.parse(certificate.notBefore), utc)} to ${moment(Date.parse(certificate.notAfter), utc)} <${Expiry} certificate=${certificate} /></dd>
    <dt>Serial</dt><dd><code>${certificate.serial}</code></dd>
    <dt>SHA-256</dt><dd><code>${certificate.sha256}</code></dd>
  </dl>`;
}
