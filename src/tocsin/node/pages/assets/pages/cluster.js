// The cluster, and how its traffic is protected: what an auditor asks, on one page.
import { html } from "../core/html.js";
import { useStore } from "../core/store.js";
import { live } from "../core/live.js";
import { node } from "../core/node.js";
import { API, ask, readAll, useAnswer } from "../core/tocsin.js";
import { Ago, Waiting, When, copy } from "../parts/basics.js";
import { Certificate, Expiry } from "../parts/certificate.js";
import { Picture, protectionOf } from "../parts/picture.js";
import { Warnings } from "../parts/warnings.js";

const PROTECTIONS = { tls: "TLS", dtls: "DTLS", keyring: "sealed with a keyring", none: "nothing: clear text" };

export function ClusterPage() {
  const now = useStore(live);
  const { value, problem } = useAnswer(async (signal) => {
    const [cluster, members, connections] = await Promise.all([
      ask("cluster", signal), readAll("cluster/members", signal), readAll("cluster/connections", signal),
    ]);
    return { cluster, members, connections };
  }, [], now.changes);
  if (!value) return problem ? html`<p class="banner bad" role="alert">${problem}</p>` : html`<${Waiting} live=${now} />`;
  const { cluster, members, connections } = value;
  if (cluster.status === "disabled") return html`<div class="page narrow"><h1>Cluster</h1><p>This node is alone: it has no cluster.</p></div>`;
  const telling = members.filter((member) => member.configuration).length;
  const hashes = new Set(members.map((member) => member.configuration).filter(Boolean));
  return html`<div class="page">
    <h1>Cluster <span class=${cluster.status === "ready" ? "badge good" : "badge warn"}>${cluster.status}</span>
      <button class="small" onClick=${() => copy(JSON.stringify(value, null, 2), "all of it as JSON")}>Copy as JSON</button></h1>
    <${Warnings} own=${now.own} />
    <div class="overview">
      <${Picture} members=${members} connections=${connections} cluster=${cluster} />
      <dl class="facts-list">
        <dt>This node</dt><dd><code>${cluster.name}</code>, position ${cluster.position} of ${cluster.members}</dd>
        <dt>Transport</dt><dd>${cluster.transport}${cluster.protection === "dtls" && ": packets by DTLS 1.2, long ones and streams by TLS"}</dd>
        <dt>Protected by</dt><dd><span class=${cluster.clearText ? "badge bad" : "badge good"}>${PROTECTIONS[/** @type {keyof typeof PROTECTIONS} */ (cluster.protection)]}</span>
          ${cluster.clearText && " Something may leave this node unprotected."} ${cluster.peersInClear > 0 && ` ${cluster.peersInClear} peers are reached in clear text.`}</dd>
        ${["tls", "dtls"].includes(cluster.protection) && html`<dt>Bound names</dt><dd>${cluster.namesBound ? "a member's certificate must carry its name" : "not required (--cluster.tls-bind-names)"}</dd>`}
        <dt>Configuration</dt><dd>${hashes.size > 1 ? html`<span class="badge warn">${hashes.size} different ones among the members</span>` : telling > 1 ? `the same at ${telling === members.length ? "all members" : `the ${telling} of ${members.length} members that tell`}` : members.length > 1 ? "not known of the others yet" : "this node's; there are no others"}</dd>
        <dt>Refused</dt><dd>${cluster.packetsRefused} packets, streams and messages of peers</dd>
        <dt>As JSON</dt><dd>${["cluster", "cluster/members", "cluster/connections"].map((path) => html`<a href=${`${node.base}${API}${path}`}>${path}</a> `)}</dd>
      </dl>
    </div>
    ${cluster.missing.length > 0 && html`<h2>${cluster.missing.length} missing</h2>
      <${Table} label="Missing" head=${["Peer or source", "Why"]}>${cluster.missing.map((/** @type {any} */ one) => html`<tr><td><code>${one.name}</code></td><td>${one.why || "not reached yet"}</td></tr>`)}<//>`}
    <h2>${members.length} member${members.length === 1 ? "" : "s"}</h2>
    <${Table} label="Members" head=${["Name", "State", "Version", "Round trip", "Last exchange", "Configuration", "Protected by"]}>${members.map((member) => html`<tr key=${member.name}>
      <td><code>${member.name}</code><br /><span class="quiet">${member.address}${member.itself ? " · this node" : ""}</span></td>
      <td><span class=${member.state === "alive" ? "badge good" : "badge warn"}>${member.state}</span> <span class="quiet"><${Ago} at=${Date.parse(member.since)} /></span></td>
      <td>${member.tocsin ? "Tocsin" : "Alertmanager"} ${member.version}</td>
      <td>${member.roundTrip === null ? "" : `${(member.roundTrip * 1000).toFixed(1)} ms`}</td>
      <td>${member.lastExchange && html`<${Ago} at=${Date.parse(member.lastExchange)} /> ago`} ${member.diverged ? html`<span class="badge warn">differed</span>` : member.diverged === false ? html`<span class="badge good">equal</span>` : ""}</td>
      <td>${member.configuration ? html`<code>${member.configuration}</code>` : html`<span class="quiet">not told</span>`}</td>
      <td>${member.itself ? "" : protectionOf(member, connections, cluster).text}</td></tr>`)}<//>
    ${connections.length > 0 && html`<h2>${connections.length} connection${connections.length === 1 ? "" : "s"}</h2>
    <${Table} label="Connections" head=${["Peer", "Protocol", "TLS", "Since", "Certificate", "Verified for"]}>${connections.map((one) => html`<tr key=${`${one.address} ${one.since}`}>
      <td><code>${one.member || one.address}</code><br /><span class="quiet">${one.dialled ? "dialled" : "it dialled"}${one.member ? ` · ${one.address}` : ""}</span></td>
      <td>${one.protocol}</td><td>${one.tlsVersion}<br /><span class="quiet">${one.cipher}</span></td><td><${Ago} at=${Date.parse(one.since)} /></td>
      <td>${one.certificate ? html`<details><summary><code>${one.certificate.subject}</code> <${Expiry} certificate=${one.certificate} /></summary><${Certificate} certificate=${one.certificate} /></details>` : html`<span class="badge bad">none shown</span>`}</td>
      <td>${one.verifiedName || html`<span class="quiet">its authority</span>`} ${one.boundName && html`<span class="badge good">bound name</span>`}</td></tr>`)}<//>`}
    ${cluster.identity && html`<${Identity} identity=${cluster.identity} />`}
    ${cluster.keyring && html`<h2>Keyring ${cluster.keyring.others.length > 0 && html`<span class="badge warn">keys are being changed, or more than one is kept</span>`}</h2>
      <div class="panel"><dl class="facts-list"><dt>Primary</dt><dd><code>${cluster.keyring.primary}</code></dd>
        <dt>Others</dt><dd>${cluster.keyring.others.length ? cluster.keyring.others.map((/** @type {string} */ key) => html`<code>${key}</code> `) : "none"}</dd>
        <dt>Sends</dt><dd>${cluster.keyring.seals ? "sealed" : html`<span class="badge bad">unsealed</span>`}</dd>
        <dt>Takes</dt><dd>${cluster.keyring.insists ? "only what is sealed" : html`<span class="badge bad">unsealed too</span>`}</dd></dl></div>`}
    <h2>Refused</h2>
    ${cluster.refused.length === 0 ? html`<p class="quiet">Nobody was refused lately.</p>` : html`<${Table} label="Refused" head=${["Host", "Reason", "Times", "Last"]}>${cluster.refused.map((/** @type {any} */ one) => html`<tr>
      <td><code>${one.host}</code>${one.byPeer && html` <span class="badge">it refused us</span>`}</td><td><b>${one.reason}</b> ${one.text}</td><td>${one.count}</td><td><${Ago} at=${Date.parse(one.last)} /> ago</td></tr>`)}<//>`}
  </div>`;
}

/** @param {{label: string, head: string[], children?: any}} props */
function Table({ label, head, children }) {
  return html`<div class="panel scroll" tabindex="0" role="region" aria-label=${label}><table>
    <thead><tr>${head.map((each) => html`<th>${each}</th>`)}</tr></thead><tbody>${children}</tbody></table></div>`;
}

/** @param {{identity: any}} props */
function Identity({ identity }) {
  return html`<h2>This node's certificate ${identity.renewing > 0 && html`<span class="badge warn">${identity.renewing} connections are being renewed</span>`}</h2>
    <div class="panel"><${Certificate} certificate=${identity.certificate} />
      <p class="facts"><span>read <${When} at=${Date.parse(identity.reloadedAt)} /></span>${!identity.reloadSuccessful && html`<span class="badge bad">changed files cannot be used</span>`}</p></div>
    <h2>Whom it trusts</h2>
    ${identity.trust.map((/** @type {any} */ trust) => html`<div class="panel"><p><b>${trust.side === "clients" ? "Who dials it" : "Whom it dials"}</b>
      ${trust.verified ? html`<span class="badge good">verified</span>` : html`<span class="badge bad">not verified</span>`}</p>
      <dl class="facts-list">
        <dt>Allowed names</dt><dd>${trust.allowedNames.join(", ") || "any that the authority signed"}</dd>
        <dt>Revocation lists</dt><dd>${trust.revocationsFrom ? html`the oldest from <${When} at=${Date.parse(trust.revocationsFrom)} />, due <${When} at=${Date.parse(trust.revocationsUntil)} />` : "none"}</dd>
        <dt>Authorities</dt><dd>${trust.authorities.length === 0 ? "those of the system" : trust.authorities.map((/** @type {any} */ each) => html`<details><summary><code>${each.subject}</code> <${Expiry} certificate=${each} /></summary><${Certificate} certificate=${each} /></details>`)}</dd>
      </dl></div>`)}`;
}
