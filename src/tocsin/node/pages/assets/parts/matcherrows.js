// The matchers of a silence, each with the number of alerts that it takes alone.
import { html, useEffect, useId, useRef, useState } from "../core/html.js";
import { OPERATORS, compile, matcher, matches, operatorOf, parseMatchers } from "../core/matchers.js";

/** @typedef {import("../core/matchers.js").Matcher} Matcher */

/** How many take it; -1: only the node can tell. @param {Matcher} m @param {import("../core/model.js").Alert[]} alerts */
export function countFor(m, alerts) {
  if (m.isRegex && !compile(m)) return -1;
  return alerts.reduce((count, alert) => count + Number(matches(m, alert.labels)), 0);
}

/**
 * @param {object} props
 * @param {Matcher[]} props.matchers
 * @param {import("../core/model.js").Alert[]} props.alerts
 * @param {import("../core/model.js").Facet[]} props.facets
 * @param {string} props.text     what is typed and not yet among them
 * @param {(text: string) => void} props.onType
 * @param {(next: Matcher[]) => void} props.onChange
 * @param {number} [props.set]        which of several sets, from 1
 * @param {number} [props.takes]      alerts that this set takes
 * @param {() => void} [props.onRemove]
 */
export function MatcherRows({ matchers, alerts, facets, text, onType, onChange, set = 0, takes = 0, onRemove }) {
  const of = set > 1 ? ` of set ${set}` : "";
  const [problem, setProblem] = useState("");
  const names = useId();
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  // Who asks for another set writes its first matcher.
  useEffect(() => {
    if (set > 1 && !matchers.length) field.current?.focus();
  }, []);
  /** @param {number} at @param {Partial<{name: string, operator: string, value: string}>} part */
  const put = (at, part) => {
    const m = matchers[at];
    const next = matcher(part.name ?? m.name, part.operator ?? operatorOf(m), part.value ?? m.value);
    onChange(matchers.map((old, i) => (i === at ? next : old)));
  };
  const add = () => {
    if (!text.trim()) return;
    try {
      onChange([...matchers, ...parseMatchers(text)]);
      onType("");
      setProblem("");
    } catch (error) {
      setProblem(/** @type {Error} */ (error).message);
    }
  };
  return html`<fieldset class="matchers"><legend>${set > 1 ? `Or: set ${set}` : "Matchers"} <span class="quiet">all must hold${set ? html` · takes <b>${takes}</b>` : ""}</span>
    ${onRemove && html` <button type="button" class="plain" aria-label=${`Remove set ${set}`} onClick=${onRemove}>✕</button>`}</legend>
    <datalist id=${names}>${facets.map((facet) => html`<option value=${facet.name} />`)}</datalist>
    ${matchers.map((m, i) => {
      const count = countFor(m, alerts);
      const values = facets.find((facet) => facet.name === m.name)?.values ?? [];
      return html`<div class="matcher" key=${i}>
        <input class="name" list=${names} value=${m.name} aria-label=${`Label of matcher ${i + 1}${of}`} onInput=${(/** @type {any} */ event) => put(i, { name: event.target.value })} />
        <select value=${operatorOf(m)} aria-label=${`Operator of matcher ${i + 1}${of}`} onChange=${(/** @type {any} */ event) => put(i, { operator: event.target.value })}>
          ${OPERATORS.map((each) => html`<option value=${each}>${each}</option>`)}
        </select>
        <input class="value" list=${`${names}-${i}`} value=${m.value} aria-label=${`Value of matcher ${i + 1}${of}`} onInput=${(/** @type {any} */ event) => put(i, { value: event.target.value })} />
        <datalist id=${`${names}-${i}`}>${values.slice(0, 50).map(([value]) => html`<option value=${value} />`)}</datalist>
        <span class="count" title="alerts that it takes alone">${count < 0 ? "?" : count}</span>
        <button type="button" class="plain" aria-label=${`Remove matcher ${i + 1}${of}`} onClick=${() => onChange(matchers.filter((_, at) => at !== i))}>✕</button>
      </div>`;
    })}
    <div class="matcher add">
      <input ref=${field} value=${text} placeholder='instance=~"web.*", severity="warning"' aria-label=${`Add matchers${of && ` to set ${set}`}`} aria-invalid=${problem ? "true" : undefined}
        onInput=${(/** @type {any} */ event) => { onType(event.target.value); setProblem(""); }}
        onBlur=${(/** @type {FocusEvent} */ event) => {
          // A button that is being pressed must not move away: these two take what is typed by themselves.
          const to = event.relatedTarget;
          if (!(to instanceof Element && to.matches("button.primary, .matcher.add button"))) add();
        }}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Enter" && !event.ctrlKey) { event.preventDefault(); add(); } }} />
      <button type="button" onClick=${add}>Add</button>
    </div>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
  </fieldset>`;
}
