// Who talks to whom, as this node sees it: itself in the middle, its peers around, and how each line is protected.
import { html } from "../core/html.js";

const SIZE = 340;
const MOST = 24;

/** @param {{members: any[], connections: any[], cluster: any}} props */
export function Picture({ members, connections, cluster }) {
  const peers = members.filter((member) => !member.itself).slice(0, MOST);
  if (!peers.length) return null;
  const own = members.find((member) => member.itself);
  const middle = SIZE / 2;
  const place = (/** @type {number} */ i) => {
    const angle = peers.length === 1 ? 0 : ((i + 0.5) / peers.length) * 2 * Math.PI - Math.PI / 2; // one or two: beside it
    return [middle + Math.cos(angle) * (middle - 70), middle + Math.sin(angle) * (middle - 40)];
  };
  const words = peers.map((peer) => `${peer.name}: ${protectionOf(peer, connections, cluster).text}`).join("; ");
  const [cut, height] = peers.length < 3 ? [middle - 60, 120] : [0, SIZE];
  return html`<svg class="picture" viewBox=${`0 ${cut} ${SIZE} ${height}`} role="img" aria-label=${`Who talks to whom. ${words}`}>
    ${peers.map((peer, i) => {
      const [x, y] = place(i);
      const { kind, text } = protectionOf(peer, connections, cluster);
      return html`<g key=${peer.name}>
        <line x1=${middle} y1=${middle} x2=${x} y2=${y} class=${`tie ${kind} ${peer.state}`}><title>${text}</title></line>
        ${peer.roundTrip !== null && html`<text x=${(middle + x) / 2} y=${(middle + y) / 2 - 4} class="rtt">${(peer.roundTrip * 1000).toFixed(peer.roundTrip < 0.01 ? 1 : 0)} ms</text>`}
        <circle cx=${x} cy=${y} r="13" class=${`peer ${peer.state} ${peer.diverged ? "diverged" : ""}`}><title>${peer.name}, ${peer.state}</title></circle>
        <text x=${x} y=${y + 4} class="kind">${peer.tocsin ? "T" : "A"}</text>
        <text x=${x} y=${y + 27}>${peer.name.slice(0, 18)}</text>
      </g>`;
    })}
    <circle cx=${middle} cy=${middle} r="17" class="peer self"></circle>
    <text x=${middle} y=${middle + 4} class="kind">T</text>
    <text x=${middle} y=${middle + 32}>${own?.name.slice(0, 18)}</text>
  </svg>`;
}

/** How what goes to and comes from a member is protected. @param {any} member @param {any[]} connections @param {any} cluster */
export function protectionOf(member, connections, cluster) {
  const own = connections.filter((one) => one.member === member.name);
  const packets = cluster.protection === "dtls" ? "packets DTLS 1.2, streams " : "";
  if (own.length) return { kind: "good", text: `${packets}${own[0].tlsVersion}, ${own[0].cipher}` };
  if (cluster.protection === "none") return { kind: "bad", text: "clear text" };
  if (cluster.protection === "keyring") return { kind: "good", text: "sealed with the keyring" };
  if (cluster.protection === "dtls") return { kind: "good", text: "DTLS" };
  return { kind: "idle", text: "TLS, no connection open now" };
}
