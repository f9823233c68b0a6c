// The routing tree: what each route says, what it inherits, what is in it, and the way of an alert through it.
import { html, useState } from "../core/html.js";
import { useStore } from "../core/store.js";
import { live } from "../core/live.js";
import { hrefTo, replaceHash } from "../core/router.js";
import { parseMatchers } from "../core/matchers.js";
import { ask, readAll, useAnswer } from "../core/tocsin.js";
import { exactDuration, parseMoment } from "../core/time.js";
import { settings } from "../core/settings.js";
import { Week } from "../parts/week.js";

/** @param {{query: URLSearchParams}} props */
export function RoutesPage({ query }) {
  const now = useStore(live);
  const { utc } = useStore(settings);
  const { value: routes, problem } = useAnswer((signal) => readAll("routes", signal), [], now.changes);
  const { value: intervals } = useAnswer((signal) => readAll("intervals", signal), [], now.changes);
  const labels = query.get("labels") ?? "";
  const at = query.get("at") ?? "";
  const [text, setText] = useState(labels);
  const [time, setTime] = useState(at);
  const [wrong, setWrong] = useState("");
  const asked = labels ? wordsOf(labels) : null;
  const moment = at ? parseMoment(at, utc) : NaN;
  const path = asked && !asked.problem
    ? `routes/test?${asked.labels.map((label) => `label=${encodeURIComponent(label)}`).join("&")}${Number.isNaN(moment) ? "" : `&at=${new Date(moment).toISOString()}`}` : "";
  const { value: test, problem: refused } = useAnswer(async (signal) => (path ? ask(path, signal) : null), [path], now.changes);
  /** @type {Map<string, any>} */
  const way = new Map((path && test?.way ? test.way : []).map((/** @type {any} */ one) => [one.id, one]));

  /** @param {Event} event */
  const submit = (event) => {
    event.preventDefault();
    const read = wordsOf(text);
    setWrong(read.problem || (time && Number.isNaN(parseMoment(time, utc)) ? "The time is not readable: write 2026-03-01 04:05." : ""));
    if (!read.problem) replaceHash(hrefTo("routes", { labels: text, at: time }));
  };
  return html`<div class="page">
    <h1>Routes</h1>
    <form class="tools tester" onSubmit=${submit}>
      <input class="wide" value=${text} placeholder='alertname="DiskFull", team="database"' aria-label="Labels of an alert" onInput=${(/** @type {any} */ event) => setText(event.target.value)} />
      <input value=${time} placeholder=${`now, or 2026-03-01 04:05${utc ? " UTC" : ""}`} aria-label="At which time" onInput=${(/** @type {any} */ event) => setTime(event.target.value)} />
      <button class="primary">Where does it go?</button>
      ${labels && html`<button type="button" onClick=${() => { setText(""); setTime(""); replaceHash("#/routes"); }}>Clear</button>`}
    </form>
    ${(wrong || refused || problem) && html`<p class="problem" role="alert">${wrong || refused || problem}</p>`}
    ${path && test && html`<${Outcome} test=${test} />`}
    ${routes && html`<div class="tree" role="list" aria-label="Routes">${routes.map((route) => html`<${Route} key=${route.id} route=${route} way=${way.get(route.id)} tested=${way.size > 0} />`)}</div>`}
    ${intervals && intervals.length > 0 && html`<h2>Time intervals</h2>${intervals.map((interval) => html`<${Week} key=${interval.name} interval=${interval} />`)}`}
  </div>`;
}

/** @param {string} text @returns {{labels: string[], problem: string}} */
function wordsOf(text) {
  try {
    const list = parseMatchers(text);
    if (list.some((m) => m.isRegex || !m.isEqual)) return { labels: [], problem: "An alert has labels, not matchers: write name=\"value\"." };
    return { labels: list.map((m) => `${m.name}=${m.value}`), problem: list.length ? "" : "Write some labels." };
  } catch (error) {
    return { labels: [], problem: /** @type {Error} */ (error).message };
  }
}

/** @param {{test: any}} props */
function Outcome({ test }) {
  return html`<ul class="outcome" aria-live="polite">${test.destinations.map((/** @type {any} */ one) => html`<li class=${one.muted ? "banner warn" : "banner good"}>
    → <b>${one.receiver}</b> ${one.muted ? `is not told: ${one.muted}${one.intervals.length ? ` ${one.intervals.join(", ")}` : ""}` : "is told"},
    in the group <code>${Object.entries(one.groupLabels).map(([name, value]) => `${name}="${value}"`).join(", ") || "of all"}</code>
    ${test.silencedBy.map((/** @type {string} */ id) => html` <a href=${hrefTo(`silences/${id}`)}>silence ${id.slice(0, 8)}</a>`)}
    ${test.inhibitedBy.map((/** @type {string} */ id) => html` <a href=${hrefTo(`alerts/${id}`)}>inhibited by ${id.slice(0, 8)}</a>`)}
  </li>`)}</ul>`;
}

/** @param {{route: any, way: any, tested: boolean}} props */
function Route({ route, way, tested }) {
  const own = (/** @type {string} */ name) => (route.inherited.includes(name) ? "quiet" : "own");
  const seconds = (/** @type {number} */ value) => exactDuration(value * 1000);
  const lit = way?.taken ? "taken" : tested ? (way ? "looked" : "dark") : "";
  return html`<div role="listitem" class=${`route ${lit}`} style=${{ marginLeft: `${Math.min(route.depth, 8) * 1.4}rem` }}>
    <div class="line">
      ${route.matchers.length ? route.matchers.map((/** @type {string} */ text) => html`<code class="chip">${text}</code>`) : html`<span class="quiet">${route.depth ? "everything" : "the root takes everything"}</span>`}
      <span class=${own("receiver")}>→ <b>${route.receiver}</b></span>
      ${route.continues && html`<span class="badge" title="Siblings after it are tried too">continue</span>`}
      ${route.muted.map((/** @type {string} */ name) => html`<span class="badge warn">muted now by ${name}</span>`)}
      ${tested && way && html`<span class=${way.taken ? "badge good" : "badge"}>${way.taken ? "taken" : way.why}</span>`}
      <a class="counts" href=${hrefTo("alerts", { receiver: route.receiver, silenced: "true", inhibited: "true", muted: "true" })}>${route.alerts} alert${route.alerts === 1 ? "" : "s"} in ${route.groups} group${route.groups === 1 ? "" : "s"}</a>
    </div>
    <p class="facts">
      <span class=${own("groupBy")}>by ${route.groupBy.join(", ") || "nothing"}</span>
      <span class=${own("groupWait")}>wait ${seconds(route.groupWait)}</span>
      <span class=${own("groupInterval")}>interval ${seconds(route.groupInterval)}</span>
      <span class=${own("repeatInterval")}>repeat ${seconds(route.repeatInterval)}</span>
      ${route.muteTimeIntervals.length > 0 && html`<span class="own">mute ${route.muteTimeIntervals.join(", ")}</span>`}
      ${route.activeTimeIntervals.length > 0 && html`<span class="own">active ${route.activeTimeIntervals.join(", ")}</span>`}
      ${Object.entries(route.labels).map(([name, value]) => html`<span class=${own("labels")}>${name}=${String(value)}</span>`)}
    </p>
  </div>`;
}
