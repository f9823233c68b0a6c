// What was told to whom, what was not and why, as far back as this node remembers.
import { html, useEffect, useMemo, useRef, useState } from "../core/html.js";
import { useStore } from "../core/store.js";
import { live } from "../core/live.js";
import { hrefTo, replaceHash } from "../core/router.js";
import { formatMatcher, formatMatchers, matchersOf } from "../core/matchers.js";
import { distinct, facetsOf } from "../core/model.js";
import { readFilters } from "../core/view.js";
import { ask, useAnswer } from "../core/tocsin.js";
import { keepingPlace } from "../core/keep.js";
import { settings } from "../core/settings.js";
import { moment } from "../core/time.js";
import { Search } from "../parts/search.js";

const OUTCOMES = ["", "sent", "not needed", "given up", "too late", "under way", "would have sent", "muted"];
const KINDS = /** @type {Record<string, string>} */ ({ sent: "good", "given up": "bad", "too late": "bad", "under way": "warn" });

/** @typedef {{asked: string, items: any[], next: string, top: string}} Shown `top`: the `next` of its newest page */

/** @param {{query: URLSearchParams}} props */
export function HistoryPage({ query }) {
  const now = useStore(live);
  const { utc } = useStore(settings);
  const [shown, setShown] = useState(/** @type {Shown} */ ({ asked: "", items: [], next: "", top: "" }));
  const [problem, setProblem] = useState("");
  const { matchers, problem: wrong } = readFilters(query);
  const outcome = query.get("outcome") ?? "";
  const receiver = query.get("receiver") ?? "";
  const asked = [
    ...matchers.map((m) => `filter=${encodeURIComponent(formatMatcher(m))}`),
    outcome && `outcome=${encodeURIComponent(outcome)}`, receiver && `receiver=${encodeURIComponent(receiver)}`, "limit=50",
  ].filter(Boolean).join("&");
  const under = useRef(new AbortController());
  /** @param {string} after */
  const page = (after) => ask(`history/notifications?${asked}${after && `&after=${encodeURIComponent(after)}`}`, under.current.signal);
  /** What somebody asks for: it goes before what is asked for by itself. @param {string} after */
  const load = async (after) => {
    under.current.abort(); // An answer to what is no longer asked must not come last.
    const { signal } = (under.current = new AbortController());
    try {
      const found = await page(after);
      if (signal.aborted) return;
      if (!after) setMore(false);
      setShown((old) => (after && old.asked === asked
        ? { ...old, items: [...old.items, ...found.items], next: found.next } : { asked, ...found, top: found.next }));
      setProblem("");
    } catch (error) {
      if (!signal.aborted) setProblem(/** @type {Error} */ (error).message);
    }
  };
  useEffect(() => {
    load("");
    return () => under.current.abort();
  }, [asked]);
  // What is new comes by itself, above what is there: further pages stay, and what is read stays where it is.
  const newest = useAnswer(async () => {
    if (shown.asked !== asked) return null;
    const found = await page("");
    const first = { asked, ...found, top: found.next };
    if (joined(shown, first)) return first;
    // What is rare can lie far back: one page further, before something between may be missing.
    const further = await page(first.next);
    return { ...first, items: [...first.items, ...further.items], next: further.next };
  }, [asked], now.changes).value;
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const [more, setMore] = useState(false);
  useEffect(() => {
    if (newest?.asked !== asked || shown.asked !== asked) return;
    const next = joined(shown, newest);
    setMore(!next);
    if (next) keepingPlace(() => setShown(next), list.current);
  }, [newest]);
  /** @param {Record<string, string>} change */
  const look = (change) => replaceHash(hrefTo("history", { filter: formatMatchers(matchers), outcome, receiver, ...change }));
  const facets = useMemo(() => facetsOf(distinct(now.groups)), [now.groups]);
  const receivers = [...new Set([...now.groups.map((group) => group.receiver), ...(receiver ? [receiver] : [])])].sort();
  return html`<div class="page">
    <h1>History <button class="small" onClick=${() => load("")}>Look again</button>${more && html` <span class="badge warn">much is new</span>`}</h1>
    <${Search} matchers=${matchers} words="" facets=${facets} only onChange=${(/** @type {any} */ next) => look({ filter: formatMatchers(next) })} />
    <div class="tools">${OUTCOMES.map((each) => html`<button class="toggle" aria-pressed=${outcome === each} onClick=${() => look({ outcome: each })}>${each || "all"}</button>`)}
      <label class="select">Receiver <select value=${receiver} onChange=${(/** @type {any} */ event) => look({ receiver: event.target.value })}>
        <option value="">any</option>${receivers.map((name) => html`<option value=${name}>${name}</option>`)}</select></label></div>
    ${(problem || wrong) && html`<p class="problem" role="alert">${problem || wrong}</p>`}
    ${shown.asked === asked && shown.items.length === 0 && !shown.next && html`<p class="empty">Nothing of that kind is remembered.</p>`}
    <ol class="timeline" ref=${list}>${shown.items.map((item) => html`<${Flush} key=${keyOf(item)} item=${item} utc=${utc} />`)}</ol>
    ${shown.next && html`<p class="buttons"><button onClick=${() => load(shown.next)}>Further back</button></p>`}
  </div>`;
}

/** The same while it is under way and when it has ended. @param {any} item */
const keyOf = (item) => `${item.at} ${item.receiver} ${item.groupKey}`;

/** What is newest, then what is further back; null if something between them may be missing, as very much is new.
 * @param {Shown} old @param {Shown} newest @returns {Shown | null} */
export function joined(old, newest) {
  const fresh = new Set(newest.items.map(keyOf));
  const reached = position(newest.next);
  let last = old.items.length - 1;
  while (last >= 0 && !fresh.has(keyOf(old.items[last]))) last -= 1;
  const top = position(old.top); // What was newest of all then had this number or a higher one, and so has each item.
  const known = Math.max(top === Infinity ? 0 : top, ...old.items.map((item) => item.record + 1));
  if (last < 0 && reached > known) return old.items.length ? null : newest;
  const further = old.items.slice(last + 1).filter((item) => (item.record ? item.record < reached : reached === Infinity));
  const back = further.length || position(old.next) < reached;
  return { asked: old.asked, items: [...newest.items, ...further], next: back ? old.next : newest.next, top: newest.top };
}

/** The number below which the next page goes on; 0: there is none, Infinity: still among those that are under way. @param {string} next */
function position(next) {
  const number = /^\d+/.exec(next);
  return number ? Number(number[0]) : next ? Infinity : 0;
}

/** @param {any} delivery */
function told({ why, notifiedBy, attempts, error }) {
  const tries = attempts.length > 1 ? `${attempts.length} attempts` : "";
  const wrong = error || attempts.at(-1)?.error;
  return [`${why}${notifiedBy && ` by ${notifiedBy}`}`, tries, wrong && (tries ? `the last one: ${wrong}` : wrong)].filter(Boolean).join(", ");
}

/** One time that a group was looked at. @param {{item: any, utc: boolean}} props */
function Flush({ item, utc }) {
  const worst = item.deliveries.map((/** @type {any} */ one) => KINDS[one.outcome] ?? "").sort((/** @type {string} */ a, /** @type {string} */ b) => "bad warn good".indexOf(a || "z") - "bad warn good".indexOf(b || "z"))[0] ?? "";
  const labels = matchersOf(item.groupLabels);
  return html`<li class=${worst}>
    <time datetime=${item.at}>${moment(Date.parse(item.at), utc)}</time> <b>${item.receiver}</b>
    <a href=${hrefTo("alerts", { filter: formatMatchers(labels), silenced: true, inhibited: true, muted: true })}><code>${formatMatchers(labels) || "one group for all"}</code></a>
    <span class="quiet">${item.alerts} alert${item.alerts === 1 ? "" : "s"}${item.node && ` · ${item.node}`}</span>
    ${item.error && html`<span class="problem">${item.error}</span>`}
    ${item.muted.map((/** @type {any} */ one) => html`<span class="badge">${one.alerts} left out: ${one.why}</span>${one.why === "silence" ? one.by.map((/** @type {string} */ id) => html`<a href=${hrefTo(`silences/${id}`)}>${id.slice(0, 8)}</a>`) : one.why === "inhibition" ? one.by.map((/** @type {string} */ id) => html`<a href=${hrefTo(`alerts/${id}`)}>${id.slice(0, 8)}</a>`) : html`<span class="quiet">${one.by.join(", ")}</span>`}`)}
    ${item.deliveries.map((/** @type {any} */ one) => html`<span><span class=${`badge ${KINDS[one.outcome] ?? ""}`}>${one.outcome}</span> ${one.integration} <span class="quiet">${told(one)}</span></span>`)}
  </li>`;
}
