// What fires now: groups as they are notified or by any labels, with facets, search and bulk silences.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../core/html.js";
import { useStore } from "../core/store.js";
import { held, live, refresh } from "../core/live.js";
import { hrefTo } from "../core/router.js";
import { listen } from "../core/keys.js";
import { STATES, commonLabels, distinct, facetsOf, filterGroups, regroup, sortGroups } from "../core/model.js";
import { formatMatchers, matcherFor, matchersOf, sameMatcher } from "../core/matchers.js";
import { alertCommands } from "../core/commands.js";
import { node } from "../core/node.js";
import { afterPaint } from "../core/paint.js";
import { isUsual, readView, showView } from "../core/view.js";
import { CopyAs, Waiting } from "../parts/basics.js";
import { AlertRow } from "../parts/alertrow.js";
import { Facets } from "../parts/facets.js";
import { GroupBy } from "../parts/groupby.js";
import { GroupHeader } from "../parts/groupheader.js";
import { Search } from "../parts/search.js";
import { Acknowledge } from "../parts/acknowledge.js";
import { Windowed } from "../parts/windowed.js";

/** What somebody selected, opened and closed: kept while they look at other pages. */
const kept = { selected: new Set(), opened: new Set(), closed: new Set(), current: "" };
held.keys = () => new Set([...kept.selected, ...kept.opened, ...(kept.current ? [kept.current] : [])]);

/** The alerts of the last bulk silence, to be told from others that it would mute too. */
export const lastPicked = { fingerprints: new Set() };

/** @param {Set<string>} set @param {string} key */
const toggle = (set, key) => (set.delete(key) ? undefined : set.add(key));

/** @param {{query: URLSearchParams}} props */
export function AlertsPage({ query }) {
  const now = useStore(live);
  const [, draw] = useState(0);
  const again = () => draw((n) => n + 1);
  const [facetsOpen, setFacetsOpen] = useState(matchMedia("(min-width: 60rem)").matches);
  const view = useMemo(() => readView(query), [query]);
  const [acking, setAcking] = useState(/** @type {any[] | null} */ (null));
  const reveal = useRef(/** @type {((key: string) => void) | null} */ (null));

  const wanted = useMemo(
    () => ({ ...view, words: view.words.toLowerCase().split(/\s+/).filter(Boolean) }), [view],
  );
  // Of very many the worst come first: who asks for anything else waits for all of them.
  const first = now.loaded || !isUsual(view) ? null : now.first;
  const waiting = !now.loaded && !first;
  const all = first?.groups ?? now.groups;
  const found = useMemo(() => filterGroups(all, wanted, true), [all, wanted]);
  const inStates = useMemo(() => filterGroups(found, { ...wanted, matchers: [], words: [] }), [found, wanted]);
  const once = useMemo(() => distinct(found), [found]);
  const alerts = useMemo(() => (inStates === found ? once : distinct(inStates)), [inStates, once]);
  const counts = useMemo(() => first?.counts ?? countStates(once), [once, first]);
  const [counted, setCounted] = useState(
    /** @type {{facets: import("../core/model.js").Facet[], total: number}} */ ({ facets: [], total: 0 }),
  );
  // The alerts first; their labels are counted once they are on the screen.
  useEffect(() => (first ? undefined : afterPaint(() => setCounted({ facets: facetsOf(alerts), total: alerts.length }))), [alerts, first]);
  const [allFacets, setAllFacets] = useState(/** @type {import("../core/model.js").Facet[]} */ ([]));
  useEffect(() => {
    // For completion only: after the picture is there.
    const timer = setTimeout(() => setAllFacets(facetsOf(distinct(now.groups))), 60);
    return () => clearTimeout(timer);
  }, [now.groups]);
  const groups = useMemo(
    () => sortGroups(view.by ? regroup(inStates, view.by) : inStates), [inStates, view.by],
  );
  const closed = [...kept.closed].join("\n\n");
  const items = useMemo(() => flatten(groups), [groups, closed]);
  const selected = kept.selected.size ? selectedOf(groups) : []; // of folded groups, too
  const receivers = useMemo(() => receiverNames(now.first?.groups ?? now.groups, view.receiver), [now.first, now.groups, view.receiver]);
  const names = useMemo(() => allFacets.map((facet) => facet.name), [allFacets]);

  /** @param {Partial<import("../core/view.js").View>} change */
  const look = (change) => showView({ ...view, ...change });
  /** @param {import("../core/matchers.js").Matcher} m */
  const pick = (m) => {
    const rest = view.matchers.filter((old) => !sameMatcher(old, m));
    const other = rest.filter((old) => !(old.name === m.name && !old.isRegex && old.value === m.value));
    look({ matchers: rest.length < view.matchers.length ? rest : [...other, m] });
  };
  /** @param {string} key */
  const stand = (key) => {
    kept.current = key;
    again();
    reveal.current?.(key);
  };
  const current = kept.current ? items.find((item) => item.key === kept.current) : undefined;

  const keys = useRef({ items, selected, current, pick });
  keys.current = { items, selected, current, pick };
  const drawn = useRef(/** @type {Map<string, Drawn>} */ (new Map()));
  useLayoutEffect(() => {
    /** @param {number} step */
    const move = (step) => {
      const { items } = keys.current;
      const at = items.findIndex((item) => item.key === kept.current);
      let next = at < 0 ? 0 : at + step;
      while (items[next] && !items[next].alert) next += at < 0 ? 1 : step; // past the heads of groups
      const found = items[next] ?? items[at];
      if (found) stand(found.key);
    };
    /** @param {Set<string>} set */
    const flip = (set) => {
      if (!keys.current.current) return;
      toggle(set, kept.current);
      again();
    };
    return listen([
      { key: "/", what: "Search", run: () => document.getElementById("search")?.focus() },
      { key: "j", what: "Next alert", run: () => move(1) },
      { key: "k", what: "Alert before", run: () => move(-1) },
      { key: "x", what: "Select the alert", run: () => flip(kept.selected) },
      { key: "e", what: "Open or close the alert", run: () => flip(kept.opened) },
      { key: "s", what: "Silence what is selected, or this alert", run: () => silenceThese(chosen(keys.current)) },
      { key: "a", what: "Acknowledge what is selected, or this alert", run: () => {
        const these = chosen(keys.current);
        if (these.length && !node.readOnly) setAcking(ackOf(these));
      } },
      { key: "r", what: "Look again now", run: () => refresh() },
      { key: "Escape", what: "Select nothing", run: () => { kept.selected.clear(); again(); } },
    ]);
  }, []);

  // Once there is a page, it stays: somebody may be typing in it.
  if (!now.loaded && !now.first) return html`<${Waiting} live=${now} />`;
  return html`<div class="alerts-page">
    <h1 class="sr">Alerts</h1>
    <div class="toolbar">
      <${Search} matchers=${view.matchers} words=${view.words} facets=${allFacets}
        onChange=${(/** @type {any} */ matchers, /** @type {string} */ words) => look({ matchers, words })} />
      ${view.problem && html`<p class="problem" role="alert">${view.problem}</p>`}
      <div class="tools">
        <div class="states" role="group" aria-label="States">${STATES.map(
          (state) => html`<button class=${`toggle ${state}`} aria-pressed=${view.states.has(state)} onClick=${() => {
            const states = new Set(view.states);
            toggle(states, state);
            look({ states });
          }}>${state} <span class="count">${waiting ? "" : counts[state]}</span></button>`,
        )}</div>
        <${GroupBy} by=${view.by} names=${names} onChange=${(/** @type {string[] | null} */ by) => look({ by })} />
        <label class="select">Receiver <select value=${view.receiver} onChange=${(/** @type {any} */ event) => look({ receiver: event.target.value })}>
          <option value="">any</option>
          ${receivers.map((name) => html`<option value=${name}>${name}</option>`)}
        </select></label>
        <button class="small" aria-pressed=${facetsOpen} onClick=${() => setFacetsOpen(!facetsOpen)}>Labels</button>
      </div>
    </div>
    <div class=${facetsOpen ? "columns" : ""}>
      ${facetsOpen && html`<${Facets} facets=${counted.facets} total=${now.loaded ? counted.total : null} matchers=${view.matchers} onPick=${pick} />`}
      <div class="list">${waiting ? html`<${Waiting} live=${now} />` : html`
        <p class="sum" aria-live="polite">${many(first ? counts.active : alerts.length, "alert")} in ${many(first?.activeGroups ?? groups.length, "group")}
          ${view.matchers.length > 0 && html`<${CopyAs} commands=${alertCommands(view.matchers)} label="This search as" />`}
          ${view.matchers.length > 0 && !node.readOnly && html`<a class="button small" href=${hrefTo("silences/new", { filter: formatMatchers(view.matchers) })}>Silence this search</a>`}</p>
        ${groups.length === 0 && html`<p class="empty">${emptyText(now, counts, view)}</p>`}
        <${Windowed} items=${items} label="Alerts" wanted=${view} reveal=${reveal} guess=${(/** @type {Item} */ item) => (item.alert ? 54 : 48)}
          row=${(/** @type {Item} */ item) => item.alert
            ? rowOf(drawn.current, item, {
                select: () => { toggle(kept.selected, item.key); again(); },
                open: () => { toggle(kept.opened, item.key); again(); },
                enter: () => { if (kept.current !== item.key) { kept.current = item.key; again(); } },
                pick: (/** @type {any} */ m) => keys.current.pick(m),
              })
            : html`<${GroupHeader} group=${item.group} shared=${sharedBy(item.group)} closed=${kept.closed.has(item.group.key)} selected=${kept.selected} onPick=${pick}
                onAck=${() => setAcking([{ receiver: item.group.receiver, group: item.group.labels }])}
                onFold=${() => { toggle(kept.closed, item.group.key); again(); }}
                onSelect=${(/** @type {boolean} */ on) => {
                  for (const alert of item.group.alerts) on ? kept.selected.add(alert.key) : kept.selected.delete(alert.key);
                  again();
                }} />`} />`}
      </div>
    </div>
    ${selected.length > 0 && html`<div class="bulk" role="toolbar" aria-label="Selected alerts">
      <b>${selected.length} selected</b>
      ${!node.readOnly && html`<button class="primary" onClick=${() => silenceThese(selected)}>Silence</button>
      <button onClick=${() => setAcking(ackOf(selected))}>Ack</button>`}
      <${CopyAs} commands=${alertCommands(matchersForAll(selected.map((item) => item.alert.labels)))} />
      <button class="plain" onClick=${() => { kept.selected.clear(); again(); }}>Clear</button>
    </div>`}
    ${acking && html`<${Acknowledge} what=${acking} onClose=${() => setAcking(null)} onDone=${(/** @type {boolean} */ whole) => { if (whole) kept.selected.clear(); again(); refresh(); }} />`}
  </div>`;
}

/** @typedef {{key: string, alert: any, group: any}} Item the head of a group, or one of its alerts */

/** @typedef {{alert: import("../core/model.js").Alert}} Selected */

/** @typedef {{alert: any, shared: Record<string, string>, how: string, row: any}} Drawn */

/** A row; what was drawn before if nothing of it has changed, so that a key draws two rows and not all in sight.
 * @param {Map<string, Drawn>} drawn @param {Item} item @param {any} on */
function rowOf(drawn, item, on) {
  const { key, alert } = item;
  const shared = sharedBy(item.group);
  const [selected, open, current] = [kept.selected.has(key), kept.opened.has(key), key === kept.current];
  const how = `${selected} ${open} ${current}`;
  const before = drawn.get(key);
  if (before && before.alert === alert && before.shared === shared && before.how === how) return before.row;
  const row = html`<${AlertRow} alert=${alert} shared=${shared} selected=${selected} open=${open} current=${current} on=${on} />`;
  if (drawn.size >= 500) drawn.clear();
  drawn.set(key, { alert, shared, how, row });
  return row;
}

/** @type {WeakMap<import("../core/model.js").Group, Record<string, string>>} */
const sharedLabels = new WeakMap();

/** Labels that a group shows for all of its alerts: found when it is drawn. @param {import("../core/model.js").Group} group */
function sharedBy(group) {
  let shared = sharedLabels.get(group);
  if (!shared) {
    shared = { ...(group.shared ?? commonLabels(group.alerts.map((alert) => alert.labels))), ...group.labels };
    sharedLabels.set(group, shared);
  }
  return shared;
}

/** @param {import("../core/model.js").Group[]} groups @returns {Item[]} */
function flatten(groups) {
  /** @type {Item[]} */
  const items = [];
  for (const group of groups) {
    items.push({ key: `g ${group.key}`, alert: null, group });
    if (kept.closed.has(group.key)) continue;
    for (const alert of group.alerts) items.push({ key: alert.key, alert, group });
  }
  return items;
}

/** What is selected of these groups. @param {import("../core/model.js").Group[]} groups @returns {Selected[]} */
function selectedOf(groups) {
  return groups.flatMap((group) => group.alerts.filter((alert) => kept.selected.has(alert.key)).map((alert) => ({ alert })));
}

/** @param {{selected: Selected[], current: Selected | undefined}} keys @returns {Selected[]} */
function chosen({ selected, current }) {
  return selected.length ? selected : current ? [current] : [];
}

/** Each alert by itself: it ends when that alert does. @param {Selected[]} items */
function ackOf(items) {
  const named = new Map(items.map(({ alert }) => [alert.fingerprint, alert.labels]));
  return [...named].map(([alert, labels]) => ({ alert, labels }));
}

/** One matcher for each label that all have. @param {Record<string, string>[]} sets */
export function matchersForAll(sets) {
  if (sets.length === 1) return matchersOf(sets[0]);
  const names = Object.keys(sets[0] ?? {}).filter((name) => sets.every((labels) => name in labels)).sort();
  return names.map((name) => matcherFor(name, sets.map((labels) => labels[name])));
}

/** @param {Selected[]} items */
function silenceThese(items) {
  if (node.readOnly || !items.length) return;
  lastPicked.fingerprints = new Set(items.map((item) => item.alert.fingerprint));
  const matchers = matchersForAll(items.map((item) => item.alert.labels));
  location.hash = hrefTo("silences/new", { filter: formatMatchers(matchers) });
}

/** @param {number} count @param {string} what */
const many = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

/** @param {import("../core/model.js").Alert[]} alerts */
function countStates(alerts) {
  /** @type {Record<string, number>} */
  const counts = { active: 0, silenced: 0, inhibited: 0, muted: 0, resolved: 0 };
  for (const alert of alerts) counts[alert.state] += 1;
  return counts;
}

/** @param {import("../core/model.js").Group[]} groups @param {string} chosen */
function receiverNames(groups, chosen) {
  const names = new Set(groups.map((group) => group.receiver));
  if (chosen) names.add(chosen);
  return [...names].sort();
}

/** @param {import("../core/live.js").Live} now @param {Record<string, number>} counts @param {any} view */
function emptyText(now, counts, view) {
  if (!now.groups.length) return "No alerts. All quiet.";
  const hidden = STATES.filter((state) => counts[state] && !view.states.has(state));
  if (hidden.length) return `Nothing here that is shown; there are ${hidden.map((state) => `${counts[state]} ${state}`).join(", ")}.`;
  return "No alert is like that.";
}
