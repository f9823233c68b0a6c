// A time interval as a week that one can see.
import { html } from "../core/html.js";
import { useNow } from "./basics.js";

const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAY = 1440;

/** @param {number} minute */
const clock = (minute) => `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;

/** @param {{interval: any}} props */
export function Week({ interval }) {
  const now = useNow();
  const past = (now - Date.parse(interval.monday)) / 60_000;
  const uses = [
    interval.mutes && `mutes ${interval.mutes} route${interval.mutes === 1 ? "" : "s"}`,
    interval.activates && `${interval.activates} route${interval.activates === 1 ? " speaks" : "s speak"} only then`,
  ].filter(Boolean).join(", ") || "no route uses it";
  return html`<figure class="week">
    <figcaption><b>${interval.name}</b> <span class="quiet">${interval.zone} · ${uses}</span>
      ${interval.inside && html`<span class="badge warn">now</span>`}</figcaption>
    <div class="days">${interval.week.map((/** @type {[number, number][]} */ spans, /** @type {number} */ day) => html`<div class="day">
      <span class="quiet">${DAYS[day]}</span>
      <div class="bar" role="img" aria-label=${`${DAYS[day]}: ${spans.map(([from, to]) => `${clock(from)} to ${clock(to)}`).join(", ") || "not at all"}`}>
        ${spans.map(([from, to]) => html`<span class="span" title=${`${clock(from)} to ${clock(to)}`} style=${{ left: `${(from / DAY) * 100}%`, width: `${((to - from) / DAY) * 100}%` }}></span>`)}
        ${Math.floor(past / DAY) === day && html`<span class="now" style=${{ left: `${((past % DAY) / DAY) * 100}%` }}></span>`}
      </div>
    </div>`)}</div>
  </figure>`;
}
