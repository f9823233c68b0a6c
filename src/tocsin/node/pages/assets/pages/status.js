// The node: version, cluster, configuration.
import { html, useState } from "../core/html.js";
import { useStore } from "../core/store.js";
import { live } from "../core/live.js";
import { Ago, Waiting, When, copy } from "../parts/basics.js";
import { Warnings } from "../parts/warnings.js";

export function StatusPage() {
  const now = useStore(live);
  const [words, setWords] = useState("");
  if (!now.status) return html`<${Waiting} live=${now} />`;
  const { versionInfo: version, cluster, config, uptime } = now.status;
  const lines = config.original.split("\n");
  const found = words ? lines.filter((/** @type {string} */ line) => line.toLowerCase().includes(words.toLowerCase())).length : 0;
  return html`<div class="page narrow">
    <h1>Status</h1>
    <${Warnings} own=${now.own} />
    <dl class="facts-list">
      <dt>Up</dt><dd><${Ago} at=${Date.parse(uptime)} /> · since <${When} at=${Date.parse(uptime)} /></dd>
      <dt>Version</dt><dd>Tocsin ${now.own?.build.version ?? version.revision} · as Alertmanager ${version.version} · ${now.own?.build.runtime ?? ""}</dd>
      <dt>Cluster</dt><dd>${cluster.name && html`<code>${cluster.name}</code> · `}${cluster.status}</dd>
      ${now.own && html`<dt>Configuration</dt><dd>loaded <${When} at=${Date.parse(now.own.configuration.loadedAt)} /> · hash <code>${now.own.configuration.hash}</code>
        ${!now.own.configuration.successful && html` <span class="badge bad">the last attempt to load it failed</span>`}</dd>
      <dt>Silences</dt><dd>${now.own.counts.silencesActive} active, ${now.own.counts.silencesPending} pending, ${now.own.counts.silencesExpired} expired</dd>`}
      <dt>Looked at</dt><dd><${Ago} at=${now.at} /> ago</dd>
    </dl>
    ${cluster.peers?.length > 0 && html`<h2>${cluster.peers.length} member${cluster.peers.length === 1 ? "" : "s"}</h2>
    <table><thead><tr><th>Name</th><th>Address</th></tr></thead><tbody>
      ${cluster.peers.map((/** @type {any} */ peer) => html`<tr><td><code>${peer.name}</code></td><td><code>${peer.address}</code></td></tr>`)}</tbody></table>`}
    <h2>Configuration</h2>
    <p class="tools"><input type="search" id="search" value=${words} placeholder="Find" aria-label="Find in the configuration" onInput=${(/** @type {any} */ event) => setWords(event.target.value)} />
      ${words && html`<span class="quiet" aria-live="polite">${found} line${found === 1 ? "" : "s"}</span>`}
      <button class="small" onClick=${() => copy(config.original, "the configuration")}>Copy</button> <a href="metrics">Metrics</a></p>
    <pre class="config" tabindex="0" aria-label="Configuration">${lines.map((/** @type {string} */ line) => (words && line.toLowerCase().includes(words.toLowerCase()) ? html`<mark>${line}</mark>\n` : `${line}\n`))}</pre>
  </div>`;
}
