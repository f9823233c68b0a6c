// Make or change a silence, and see before what it would mute.
import { html, useEffect, useMemo, useRef, useState } from "../core/html.js";
import { useStore } from "../core/store.js";
import { live, readSilence, refresh } from "../core/live.js";
import { hrefTo } from "../core/router.js";
import { readFilters } from "../core/view.js";
import { formatMatcher, formatMatchers, parseMatchers } from "../core/matchers.js";
import { distinct, facetsOf } from "../core/model.js";
import { alertsMatching, expireSilence, node, read } from "../core/node.js";
import { change, settings } from "../core/settings.js";
import { doubts, makeOnce, plainMatchers } from "../core/silences.js";
import { silenceCommands } from "../core/commands.js";
import { exactDuration, moment, parseDuration, parseMoment } from "../core/time.js";
import { CopyAs, Waiting, copy, say } from "../parts/basics.js";
import { MatcherRows } from "../parts/matcherrows.js";
import { Preview, useMatching } from "../parts/preview.js";
import { lastPicked } from "./alerts.js";

const LENGTHS = ["30m", "1h", "2h", "4h", "8h", "1d", "1w"];

/** @param {{id?: string, query: URLSearchParams}} props */
export function SilenceFormPage({ id, query }) {
  const [old, setOld] = useState(/** @type {import("../core/live.js").Silence | null} */ (null));
  const [problem, setProblem] = useState("");
  useEffect(() => {
    if (id) read(`api/v2/silence/${encodeURIComponent(id)}`).then((raw) => setOld(readSilence(raw)), (error) => setProblem(error.message || "There is no such silence."));
  }, [id]);
  if (node.readOnly) return html`<p class="empty">This node's pages are read-only.</p>`;
  if (problem) return html`<p class="empty">${problem}</p>`;
  if (id && !old) return html`<${Waiting} live=${live.get()} />`;
  return html`<${Form} key=${`${id ?? "new"} ${id ? "" : query}`} old=${old} query=${query} />`;
}

/** @param {{old: import("../core/live.js").Silence | null, query: URLSearchParams}} props */
function Form({ old, query }) {
  const now = useStore(live);
  const chosen = useStore(settings);
  const { utc } = chosen;
  const again = old?.state === "expired";
  const start = useMemo(() => readFilters(query), []);
  // Alerts that one of several sets takes are muted: the API has room for one in a silence, so each is a silence of its own.
  const [sets, setSets] = useState(() => {
    if (old) return [old.matchers];
    // A link with further sets alone has no empty one before them.
    return start.or.length && !start.matchers.length && !start.problem ? start.or : [start.matchers, ...start.or];
  });
  const [creator, setCreator] = useState(node.creator || (old && !again ? old.createdBy : query.get("creator") || chosen.creator));
  const [comment, setComment] = useState(old?.comment ?? query.get("comment") ?? "");
  const keepsTimes = old !== null && !again;
  const [startText, setStart] = useState(keepsTimes ? moment(old.startsAt, utc) : "");
  const [endText, setEnd] = useState(keepsTimes ? moment(old.endsAt, utc) : "");
  const asked = query.get("duration") ?? "";
  const [length, setLength] = useState(keepsTimes ? "" : Number.isNaN(parseDuration(asked)) ? chosen.duration : asked);
  const [agreed, setAgreed] = useState(/** @type {string[]} */ ([])); // kinds of doubts
  const [typed, setTyped] = useState(/** @type {string[]} */ ([])); // by set
  const [heldEnd, setHeldEnd] = useState("");
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState("");
  // When one of several could not be made and somebody tries again: what is made, by set; what is made of sets removed since.
  const made = useRef(/** @type {import("../core/silences.js").Made[]} */ ([]));
  const unsure = useRef(/** @type {import("../core/silences.js").Unsure | null} */ (null)); // the first that is not made
  const removed = useRef(/** @type {string[]} */ ([]));
  const end = useRef({ written: "", at: "" });

  // An unchanged time stays exact to the millisecond: what is shown has only seconds.
  const startsAt = !startText ? Date.now() : keepsTimes && startText === moment(old.startsAt, utc) ? old.startsAt : parseMoment(startText, utc);
  const endsAt = length ? (startText ? startsAt : Date.now()) + parseDuration(length)
    : keepsTimes && endText === moment(old.endsAt, utc) ? old.endsAt : parseMoment(endText, utc);
  const alerts = useMemo(() => distinct(now.groups).filter((alert) => alert.state !== "resolved"), [now.groups]);
  const facets = useMemo(() => facetsOf(alerts), [alerts]);
  const matching = useMatching(sets, alerts);
  /** @param {import("../core/matchers.js").Matcher[][]} lists @param {number} count */
  const doubtsOf = (lists, count) => {
    const each = lists.map((matchers) => doubts({ matchers, length: endsAt - startsAt, matching: count, total: alerts.length }));
    const number = (/** @type {number} */ i) => (lists.length > 1 ? `Set ${i + 1}: ` : "");
    return { refused: each.flatMap((one, i) => one.refused.map((text) => number(i) + text)), asked: each[0].asked };
  };
  const { refused: cannot, asked: doubtful } = doubtsOf(sets, matching.count);
  const sure = Object.keys(doubtful).every((kind) => agreed.includes(kind));
  const silence = {
    ...(old && !again ? { id: old.id } : {}),
    matchers: plainMatchers(sets[0]),
    startsAt: iso(startsAt),
    endsAt: iso(endsAt),
    createdBy: creator.trim(),
    comment: comment.trim(),
    ...(old && Object.keys(old.annotations).length ? { annotations: old.annotations } : {}),
  };
  /** @type {string[]} */
  const lacks = [];
  if (Number.isNaN(startsAt) || Number.isNaN(endsAt)) lacks.push("A time is not readable: write 2026-03-01 04:05 or a duration as 1h30m.");
  if (!silence.createdBy) lacks.push("Who are you?");
  if (!silence.comment) lacks.push("Say why, for those who come after.");

  /** A silence for each set. @param {import("../core/matchers.js").Matcher[][]} all */
  const make = async (all) => {
    const written = JSON.stringify([startText, length || endText]);
    // They end alike, also those that are made when it is tried again.
    const same = (made.current.length > 0 || unsure.current !== null) && end.current.written === written && Date.parse(end.current.at) > Date.now();
    if (!same) end.current = { written, at: silence.endsAt };
    const common = { ...silence, startsAt: startText ? silence.startsAt : iso(Date.now()), endsAt: end.current.at };
    try {
      for (const [i, matchers] of all.entries()) {
        const { id, annotations, ...further } = common; // What stands in the silence that is changed is that one's alone.
        const wanted = { ...(i ? further : common), matchers: plainMatchers(matchers) };
        made.current[i] = await makeOnce(wanted, startText, made.current[i] ?? unsure.current ?? undefined, (one) => {
          unsure.current = one;
        });
        unsure.current = null;
      }
      for (let id = removed.current.at(-1); id !== undefined; id = removed.current.at(-1)) {
        await expireSilence(id);
        removed.current.pop();
      }
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      const count = made.current.length;
      if (all.length === 1 || !count) throw error;
      refresh();
      throw new Error(count < all.length ? `${count} of ${all.length} silences are made, the others are not: ${message}` : `Not all silences are changed: ${message}`);
    }
  };

  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    try {
      // What stands in the field below the matchers is meant, too.
      const meant = typed.some((text) => text?.trim());
      const all = sets.map((matchers, i) => (typed[i]?.trim() ? [...matchers, ...parseMatchers(typed[i])] : matchers));
      if (meant) {
        setSets(all);
        setTyped([]);
      }
      const known = !meant && matching.sure;
      let { refused: wrong, asked: open } = doubtsOf(all, known ? matching.count : 0);
      wrong = [...wrong, ...lacks];
      if (!wrong.length && !known) {
        // Who is quick is asked the same: only the node knows what it matches.
        const found = new Set();
        for (const matchers of all) for (const alert of await alertsMatching(matchers.map(formatMatcher))) found.add(alert.fingerprint);
        open = doubtsOf(all, found.size).asked;
      }
      if (!wrong.length && Object.keys(open).some((kind) => !agreed.includes(kind))) wrong.push("Please confirm.");
      if (wrong.length) throw new Error(wrong[0]);
      await make(all);
      if (!node.creator) change({ creator: creator.trim() });
      say(old && !again ? "The silence is changed." : all.length > 1 ? `${all.length} silences are made.` : "The silence is made.");
      refresh();
      location.hash = all.length > 1 ? hrefTo("silences", { q: comment.trim() }) : hrefTo(`silences/${made.current[0].id}`);
    } catch (error) {
      setRefused(/** @type {Error} */ (error).message);
      setBusy(false);
    }
  };

  /** @param {import("../core/matchers.js").Matcher[][]} next */
  const put = (next) => {
    setSets(next);
    setAgreed([]);
    setRefused("");
  };
  /** @param {number} i */
  const remove = (i) => {
    put(sets.filter((_, at) => at !== i));
    setTyped((old) => old.filter((_, at) => at !== i));
    removed.current.push(...made.current.splice(i, 1).map((one) => one.id));
  };
  const template = () => `${node.base}${hrefTo("silences/new", {
    filter: formatMatchers(sets[0]), or: sets.slice(1).map(formatMatchers), comment, duration: length || exactDuration(endsAt - startsAt),
  })}`;
  return html`<form class="page form" onSubmit=${submit} onInput=${() => setRefused("")} onKeyDown=${(/** @type {KeyboardEvent} */ event) =>
    event.key === "Enter" && event.ctrlKey && submit(event)}>
    <h1>${old ? (again ? "Make a silence anew" : "Change a silence") : "New silence"}</h1>
    <div class="two">
      <div>
        ${sets.map((matchers, i) => html`<${MatcherRows} key=${i} matchers=${matchers} alerts=${alerts} facets=${facets} text=${typed[i] ?? ""}
          set=${sets.length > 1 ? i + 1 : 0} takes=${matching.each[i] ?? 0}
          onType=${(/** @type {string} */ text) => setTyped((old) => Object.assign([...old], { [i]: text }))}
          onChange=${(/** @type {any} */ next) => put(sets.map((old, at) => (at === i ? next : old)))}
          onRemove=${i > 0 && !busy ? () => remove(i) : undefined} />`)}
        <p><button type="button" class="small" onClick=${() => put([...sets, []])}>Or: another set</button>
          ${sets.length > 1 && html` <span class="quiet">Muted is what one of them takes. Each becomes a silence of its own, with the same end and comment.</span>`}</p>
        ${start.problem && !old && html`<p class="problem" role="alert">${start.problem}</p>`}
        <fieldset><legend>How long</legend>
          <div class="tools">${LENGTHS.map((each) => html`<button type="button" class="toggle" aria-pressed=${length === each} onClick=${() => setLength(each)}>${each}</button>`)}
            <label>or <input class="short" value=${length} placeholder="1h30m" aria-label="Duration" onInput=${(/** @type {any} */ event) => setLength(event.target.value)} /></label></div>
          <div class="tools">
            <label>Begins <input value=${startText} placeholder="now" aria-label="Begins" onInput=${(/** @type {any} */ event) => setStart(event.target.value)} /></label>
            <label>Ends <input value=${length ? heldEnd || (Number.isNaN(endsAt) ? "" : moment(endsAt, utc, false)) : endText} placeholder="2026-03-01 04:05" aria-label="Ends"
              onFocus=${(/** @type {any} */ event) => setHeldEnd(event.target.value)} onBlur=${() => setHeldEnd("")}
              onInput=${(/** @type {any} */ event) => { setLength(""); setEnd(event.target.value); }} /></label>
            <span class="quiet">${utc ? "UTC" : "local time"}</span>
          </div>
        </fieldset>
        <label class="field">Creator <input value=${creator} readonly=${Boolean(node.creator)} required aria-describedby="who"
          onInput=${(/** @type {any} */ event) => setCreator(event.target.value)} /></label>
        ${node.creator && html`<p id="who" class="quiet">The node knows you.</p>`}
        <label class="field">Comment <textarea rows="2" required value=${comment} placeholder="Why, and a ticket"
          onInput=${(/** @type {any} */ event) => setComment(event.target.value)}></textarea></label>
        ${Object.keys(doubtful).length > 0 && html`<div class="banner warn" role="alert">${Object.values(doubtful).map((each) => html`<p>${each}</p>`)}
          <label><input type="checkbox" checked=${sure} onChange=${() => setAgreed(sure ? [] : Object.keys(doubtful))} /> I mean it</label></div>`}
        ${(refused || cannot.length > 0) && html`<p class="problem" role="alert">${refused || cannot[0]}</p>`}
        <p class="buttons">
          <button class="primary" disabled=${busy || !sure}>${old && !again ? "Save" : "Silence"}</button>
          <a class="button" href=${old ? hrefTo(`silences/${old.id}`) : "#/alerts"}>Cancel</a>
          ${cannot.length + lacks.length === 0 && html`<${CopyAs} commands=${silenceCommands(silence, sets.map(plainMatchers))} />`}
          <button type="button" class="small" onClick=${() => copy(template(), "a link that opens this form")}>Copy as a link</button>
        </p>
        ${sets[0].length > 0 && html`<p class="quiet"><code>${sets.filter((matchers) => matchers.length).map((matchers) => matchers.map(formatMatcher).join(" ")).join(" or ")}</code></p>`}
      </div>
      <${Preview} matching=${matching} total=${now.loaded ? alerts.length : null} picked=${query.has("filter") ? lastPicked.fingerprints : new Set()} />
    </div>
  </form>`;
}

/** @param {number} at */
const iso = (at) => (Number.isNaN(at) ? "" : new Date(at).toISOString());
