// One silence: what it says, what it mutes now, and what may be done to it.
import { html, useEffect, useMemo, useState } from "../core/html.js";
import { useStore } from "../core/store.js";
import { live, readSilence, refresh } from "../core/live.js";
import { hrefTo } from "../core/router.js";
import { read, node } from "../core/node.js";
import { distinct } from "../core/model.js";
import { expire, extend, matchingNow, posted } from "../core/silences.js";
import { silenceCommands } from "../core/commands.js";
import { DAY, HOUR } from "../core/time.js";
import { Ago, Confirm, CopyAs, Linked, MatcherChip, Waiting, When, say } from "../parts/basics.js";
import { AlertLine } from "../parts/alertline.js";

/** @param {{id: string}} props */
export function SilencePage({ id }) {
  const now = useStore(live);
  const [late, setLate] = useState(/** @type {any} */ (null));
  const [missing, setMissing] = useState("");
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const listed = now.silences.get(id);
  useEffect(() => {
    if (listed) return;
    // Made a moment ago, perhaps: the list may be older than the link.
    read(`api/v2/silence/${encodeURIComponent(id)}`).then((raw) => setLate(readSilence(raw)), (error) => setMissing(error.status === 404 ? "There is no such silence; it may have ended long ago." : error.message));
  }, [id, listed]);
  const silence = listed ?? late;
  const alerts = useMemo(() => distinct(now.groups), [now.groups]);
  if (!silence) return missing ? html`<p class="empty">${missing}</p>` : html`<${Waiting} live=${now} />`;

  const muted = silence.state === "active"
    ? alerts.filter((alert) => alert.silencedBy.includes(silence.id)) : matchingNow(silence, alerts);
  /** @param {[any, Error][]} problems @param {string} done */
  const tell = (problems, done) => {
    say(problems.length ? problems[0][1].message : done, problems.length > 0);
    refresh();
  };
  return html`<div class="page narrow">
    <h1>Silence <span class=${silence.state === "active" ? "state in-force" : "state"}>${silence.state}</span></h1>
    <p class="line big">${silence.matchers.map((/** @type {any} */ m) => html`<${MatcherChip} matcher=${m} />`)}</p>
    <dl class="facts-list">
      <dt>Comment</dt><dd><${Linked} text=${silence.comment} /></dd>
      <dt>Creator</dt><dd>${silence.createdBy}</dd>
      <dt>Begins</dt><dd><${When} at=${silence.startsAt} /></dd>
      <dt>Ends</dt><dd><${When} at=${silence.endsAt} />${silence.state === "active" && html` · in <${Ago} at=${silence.endsAt} until />`}</dd>
      <dt>Changed</dt><dd><${When} at=${silence.updatedAt} /></dd>
      <dt>Id</dt><dd><code>${silence.id}</code></dd>
      ${Object.entries(silence.annotations).map(([name, value]) => html`<dt>${name}</dt><dd>${String(value)}</dd>`)}
    </dl>
    <p class="buttons">
      ${!node.readOnly && html`<a class="button" href=${hrefTo(`silences/${silence.id}/edit`)}>${silence.state === "expired" ? "Make anew" : "Edit"}</a>`}
      ${!node.readOnly && silence.state !== "expired" && [["1h", HOUR], ["4h", 4 * HOUR], ["1d", DAY]].map(
        ([name, by]) => html`<button disabled=${busy} onClick=${async () => {
          setBusy(true);
          tell(await extend([silence], Number(by)), `Extended by ${name}.`);
          setBusy(false);
        }}>Extend ${name}</button>`,
      )}
      ${!node.readOnly && silence.state !== "expired" && html`<button class="danger" onClick=${() => setAsking(true)}>Expire</button>`}
      <${CopyAs} commands=${silenceCommands(posted(silence, { id: "" }))} />
    </p>
    <h2>${muted.length} alert${muted.length === 1 ? "" : "s"} ${silence.state === "active" ? "muted by it now" : "that it matches now"}</h2>
    <ul class="lines">${muted.slice(0, 200).map((alert) => html`<${AlertLine} key=${alert.fingerprint} alert=${alert} />`)}</ul>
    ${muted.length > 200 && html`<p class="quiet">and ${muted.length - 200} more</p>`}
    ${asking && html`<${Confirm} title="Expire this silence?" verb="Expire" onClose=${() => setAsking(false)} onDo=${async () => tell(await expire([silence]), "Expired.")}>
      <p>It mutes ${muted.length} alerts now, which are notified again.</p><//>`}
  </div>`;
}
