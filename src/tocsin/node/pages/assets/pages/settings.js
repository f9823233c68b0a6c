// What one person chose for this browser.
import { html } from "../core/html.js";
import { useStore } from "../core/store.js";
import { change, settings } from "../core/settings.js";
import { node } from "../core/node.js";
import { parseDuration } from "../core/time.js";

/** @param {{name: string, value: any, options: [any, string][], legend: string}} props */
function Choice({ name, value, options, legend }) {
  return html`<fieldset><legend>${legend}</legend><div class="tools">${options.map(
    ([option, text]) => html`<label><input type="radio" name=${name} checked=${value === option} onChange=${() => change({ [name]: option })} /> ${text}</label>`,
  )}</div></fieldset>`;
}

export function SettingsPage() {
  const now = useStore(settings);
  return html`<div class="page narrow form">
    <h1>Settings</h1>
    <p class="quiet">They are kept in this browser and hold for this address.</p>
    <${Choice} name="theme" legend="Theme" value=${now.theme} options=${[["auto", "as the system"], ["light", "light"], ["dark", "dark"]]} />
    <${Choice} name="utc" legend="Times" value=${now.utc} options=${[[false, "local"], [true, "UTC"]]} />
    <${Choice} name="density" legend="Density" value=${now.density} options=${[["dense", "dense"], ["roomy", "roomy"]]} />
    <${Choice} name="refresh" legend="Look again" value=${now.refresh} options=${[[5, "after 5 s"], [10, "10 s"], [30, "30 s"], [60, "1 m"], [0, "only by hand"]]} />
    <label class="field">Creator of silences <input value=${node.creator || now.creator} readonly=${Boolean(node.creator)} onInput=${(/** @type {any} */ event) => change({ creator: event.target.value })} /></label>
    ${node.creator && html`<p class="quiet">The node knows you, and puts this name to your silences.</p>`}
    <label class="field">Duration of a new silence <input value=${now.duration} onInput=${(/** @type {any} */ event) =>
      !Number.isNaN(parseDuration(event.target.value)) && change({ duration: event.target.value })} /></label>
  </div>`;
}
