// By which labels alerts are put together.
import { html, useId, useState } from "../core/html.js";

/** @param {{by: string[] | null, names: string[], onChange: (by: string[] | null) => void}} props */
export function GroupBy({ by, names, onChange }) {
  const [text, setText] = useState("");
  const id = useId();
  const add = (/** @type {string} */ name) => {
    setText("");
    if (name && !(by ?? []).includes(name)) onChange([...(by ?? []), name]);
  };
  return html`<div class="group-by" role="group" aria-label="Grouping">
    <span class="quiet">Group by</span>
    <button class="toggle" aria-pressed=${by === null} title="As they are notified" onClick=${() => onChange(by === null ? [] : null)}>route</button>
    ${(by ?? []).map((name) => html`<button class="chip on" aria-label=${`Do not group by ${name}`} onClick=${() => onChange((by ?? []).filter((one) => one !== name))}>${name} <span aria-hidden="true">✕</span></button>`)}
    <input class="short" list=${id} value=${text} placeholder="a label" aria-label="Group by a label"
      onInput=${(/** @type {any} */ event) => {
        // Taken from the list, not typed: what is typed may go on, as service to service_name.
        const whole = !event.inputType || event.inputType === "insertReplacementText";
        if (whole && names.includes(event.target.value)) add(event.target.value);
        else setText(event.target.value);
      }}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Enter" && add(text.trim())} />
    <datalist id=${id}>${names.map((name) => html`<option value=${name} />`)}</datalist>
  </div>`;
}
