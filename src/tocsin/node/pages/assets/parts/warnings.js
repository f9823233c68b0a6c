// What the node itself finds worth a warning.
import { html } from "../core/html.js";

/** @param {{own: any}} props `own`: the status of Tocsin's own API */
export function Warnings({ own }) {
  if (!own?.warnings.length) return null;
  return html`<ul class="banner warn" aria-label="Warnings">${own.warnings.map((/** @type {string} */ each) => html`<li>${each}</li>`)}</ul>`;
}
