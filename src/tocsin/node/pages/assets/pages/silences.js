// The inventory of silences: who made them, why, what they mute now and when they end.
import { html, useMemo, useRef, useState } from "../core/html.js";
import { useStore } from "../core/store.js";
import { live, refresh } from "../core/live.js";
import { hrefTo, replaceHash } from "../core/router.js";
import { readFilters } from "../core/view.js";
import { formatMatcher, formatMatchers } from "../core/matchers.js";
import { distinct } from "../core/model.js";
import { SOON, expire, extend, matchCounts, matchingNow } from "../core/silences.js";
import { DAY, HOUR } from "../core/time.js";
import { node } from "../core/node.js";
import { Ago, Confirm, Linked, MatcherChip, Waiting, say, useNow } from "../parts/basics.js";
import { Windowed } from "../parts/windowed.js";

const TABS = /** @type {const} */ (["active", "pending", "expired"]);
/** @type {Set<string>} */
const selected = new Set();

/** @param {{query: URLSearchParams}} props */
export function SilencesPage({ query }) {
  const now = useStore(live);
  const clock = useNow();
  const [, draw] = useState(0);
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const reveal = useRef(/** @type {((key: string) => void) | null} */ (null));
  const tab = /** @type {typeof TABS[number]} */ (TABS.find((one) => one === query.get("state")) ?? "active");
  const words = query.get("q") ?? "";
  const only = query.get("only") ?? "";
  const { matchers, problem } = useMemo(() => readFilters(query), [query]);
  const counts = useMemo(() => matchCounts(now.groups), [now.groups]);
  const alerts = useMemo(() => distinct(now.groups), [now.groups]);

  /** @param {Record<string, string>} change */
  const look = (change) =>
    replaceHash(hrefTo("silences", { state: tab, q: words, only, filter: formatMatchers(matchers), ...change }));

  const all = [...now.silences.values()];
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const matched = all.filter((silence) => {
    const text = `${silence.matchers.map(formatMatcher).join(" ")} ${silence.createdBy} ${silence.comment} ${silence.id}`.toLowerCase();
    return wanted.every((word) => text.includes(word))
      && matchers.every((m) => silence.matchers.some((own) => own.name === m.name && own.value === m.value));
  });
  const countOf = (/** @type {import("../core/live.js").Silence} */ silence) =>
    silence.state === "active" ? (counts.get(silence.id) ?? 0) : matchingNow(silence, alerts).length;
  const inTab = matched.filter((silence) => silence.state === tab);
  const soon = inTab.filter((silence) => tab === "active" && silence.endsAt - clock < SOON);
  const idle = tab === "expired" ? [] : inTab.filter((silence) => countOf(silence) === 0);
  const shown = (only === "soon" ? soon : only === "idle" ? idle : inTab)
    .sort((a, b) => (tab === "expired" ? b.endsAt - a.endsAt : a.endsAt - b.endsAt) || (a.id < b.id ? -1 : 1));
  const chosen = shown.filter((silence) => selected.has(silence.id));
  const again = () => draw((n) => n + 1);

  if (!now.loaded) return html`<${Waiting} live=${now} />`;
  /** @param {[any, Error][]} problems @param {string} done */
  const tell = (problems, done) => {
    if (problems.length) say(`${problems.length} of ${chosen.length} could not be changed: ${problems[0][1].message}`, true);
    else say(done);
    selected.clear();
    for (const [silence] of problems) selected.add(silence.id);
    refresh();
  };
  return html`<div class="silences-page">
    <h1 class="sr">Silences</h1>
    <div class="toolbar">
      <div class="tools">
        <div class="states" role="group" aria-label="States">${TABS.map(
          (one) => html`<button class="toggle" aria-pressed=${tab === one} onClick=${() => look({ state: one, only: "" })}>${one}
            <span class="count">${matched.filter((silence) => silence.state === one).length}</span></button>`,
        )}</div>
        <input id="search" type="search" value=${words} placeholder="Words" aria-label="Search silences"
          onInput=${(/** @type {any} */ event) => look({ q: event.target.value })} />
        ${tab === "active" && html`<button class="toggle" aria-pressed=${only === "soon"} onClick=${() => look({ only: only === "soon" ? "" : "soon" })}>ending within 1h <span class="count">${soon.length}</span></button>`}
        ${tab !== "expired" && html`<button class="toggle" aria-pressed=${only === "idle"} onClick=${() => look({ only: only === "idle" ? "" : "idle" })}>matching nothing <span class="count">${idle.length}</span></button>`}
        ${matchers.map((m) => html`<button class="chip on" aria-label=${`Remove ${formatMatcher(m)}`} onClick=${() => look({ filter: formatMatchers(matchers.filter((one) => one !== m)) })}>${formatMatcher(m)} <span aria-hidden="true">✕</span></button>`)}
        ${!node.readOnly && html`<a class="button primary" href="#/silences/new">New silence</a>`}
      </div>
      ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    </div>
    ${shown.length === 0 && html`<p class="empty">${all.length ? `No ${tab} silence is like that.` : "No silences."}</p>`}
    <${Windowed} items=${shown.map((silence) => ({ key: silence.id, silence }))} label="Silences" wanted=${query} reveal=${reveal} guess=${() => 76}
      row=${(/** @type {any} */ { silence }) => html`<${SilenceRow} silence=${silence} count=${countOf(silence)} clock=${clock}
        selected=${selected.has(silence.id)} onSelect=${() => { selected.delete(silence.id) || selected.add(silence.id); again(); }} />`} />
    ${chosen.length > 0 && !node.readOnly && html`<div class="bulk" role="toolbar" aria-label="Selected silences">
      <b>${chosen.length} selected</b>
      ${tab !== "expired" && [["1h", HOUR], ["4h", 4 * HOUR], ["1d", DAY]].map(
        ([name, by]) => html`<button disabled=${busy} onClick=${async () => {
          setBusy(true);
          tell(await extend(chosen, Number(by)), `Extended by ${name}.`);
          setBusy(false);
        }}>Extend ${name}</button>`,
      )}
      ${tab !== "expired" && html`<button class="danger" onClick=${() => setAsking(true)}>Expire</button>`}
      <button class="plain" onClick=${() => { for (const silence of shown) selected.add(silence.id); again(); }}>Select all ${shown.length}</button>
      <button class="plain" onClick=${() => { selected.clear(); again(); }}>Clear</button>
    </div>`}
    ${asking && html`<${Confirm} title=${`Expire ${chosen.length} silence${chosen.length === 1 ? "" : "s"}?`} verb="Expire" onClose=${() => setAsking(false)}
      onDo=${async () => tell(await expire(chosen), "Expired.")}>
      <p>They mute ${chosen.reduce((sum, silence) => sum + countOf(silence), 0)} alerts now, which are notified again.</p>
    <//>`}
  </div>`;
}

/** @param {{silence: import("../core/live.js").Silence, count: number, clock: number, selected: boolean, onSelect: () => void}} props */
function SilenceRow({ silence, count, clock, selected, onSelect }) {
  const soon = silence.state === "active" && silence.endsAt - clock < SOON;
  return html`<article class=${`silence ${silence.state} ${selected ? "selected" : ""}`}>
    <label class="pick"><input type="checkbox" checked=${selected} aria-label=${`Select the silence ${silence.comment}`} onChange=${onSelect} /></label>
    <div class="what">
      <div class="line">${silence.matchers.map((m) => html`<${MatcherChip} matcher=${m} />`)}</div>
      <p class="summary"><b>${silence.createdBy}</b> <${Linked} text=${silence.comment} /></p>
    </div>
    <div class="side">
      ${silence.annotations["tocsin/expire-when-resolved"] && html`<span class="badge">ack</span>`}
      ${count === 0 && silence.state !== "expired" ? html`<span class="badge">matches nothing</span>` : html`<span class="count" title="alerts that it matches now">${count}</span>`}
      <span class=${soon ? "ends soon" : "ends"}>${silence.state === "pending"
        ? html`begins in <${Ago} at=${silence.startsAt} until />`
        : silence.state === "active" ? html`ends in <${Ago} at=${silence.endsAt} until />` : html`ended <${Ago} at=${silence.endsAt} /> ago`}</span>
      ${!node.readOnly && html`<a class="button small" href=${hrefTo(`silences/${silence.id}/edit`)}
        aria-label=${`${silence.state === "expired" ? "Make anew" : "Edit"}: ${silence.comment}`}>${silence.state === "expired" ? "Again" : "Edit"}</a>`}
      <a class="button small" href=${hrefTo(`silences/${silence.id}`)} aria-label=${`Details: ${silence.comment}`}>Details</a>
    </div>
  </article>`;
}
