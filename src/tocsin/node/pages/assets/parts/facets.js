// How often each label's values occur, and a way to pick among them.
import { html, useState } from "../core/html.js";
import { matcher, sameMatcher } from "../core/matchers.js";

const SHOWN = 6;

/**
 * @param {object} props
 * @param {import("../core/model.js").Facet[]} props.facets
 * @param {number | null} props.total  alerts that are counted; null: not all are there yet
 * @param {import("../core/matchers.js").Matcher[]} props.matchers
 * @param {(m: import("../core/matchers.js").Matcher) => void} props.onPick  add it, or take it away
 */
export function Facets({ facets, total, matchers, onPick }) {
  const [more, setMore] = useState(/** @type {Record<string, boolean>} */ ({}));
  const [all, setAll] = useState(false);
  const telling = facets.filter(
    (facet) => matchers.some((m) => m.name === facet.name) || facet.values.length > 1 || facet.values[0][1] < (total ?? 0),
  );
  const listed = all ? facets : telling.slice(0, 10);
  return html`<aside class="facets" aria-label="Labels and their values">
    ${total === null && html`<p class="quiet">Counted once all alerts are there.</p>`}
    ${listed.map((facet) => {
      const values = more[facet.name] ? facet.values.slice(0, 200) : facet.values.slice(0, SHOWN);
      return html`<section key=${facet.name}>
        <h2>${facet.name} <span class="count">${facet.values.length}</span></h2>
        <ul>${values.map(([value, count]) => {
          const only = matcher(facet.name, "=", value);
          const not = matcher(facet.name, "!=", value);
          const on = matchers.some((m) => sameMatcher(m, only));
          return html`<li key=${value}>
            <button class=${on ? "value on" : "value"} aria-pressed=${on} onClick=${() => onPick(only)}>
              <span class="text">${value || "(empty)"}</span><span class="count">${count}</span>
            </button>
            <button class="not" title="All but these" aria-label=${`Without ${facet.name} ${value}`} onClick=${() => onPick(not)}>−</button>
          </li>`;
        })}</ul>
        ${facet.values.length > SHOWN && html`<button class="plain more" onClick=${() => setMore({ ...more, [facet.name]: !more[facet.name] })}>
          ${more[facet.name] ? "fewer" : `${facet.values.length - SHOWN} more`}</button>`}
      </section>`;
    })}
    ${facets.length > listed.length || all ? html`<button class="plain more" onClick=${() => setAll(!all)}>${all ? "fewer labels" : `${facets.length - listed.length} more labels`}</button>` : null}
  </aside>`;
}
