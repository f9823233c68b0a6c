// One field for matchers and words, with completion from the labels that there are.
import { html, useId, useMemo, useRef, useState } from "../core/html.js";
import { formatMatcher, nameText, parseMatchers, quote, sameMatcher } from "../core/matchers.js";

/**
 * @param {object} props
 * @param {import("../core/matchers.js").Matcher[]} props.matchers
 * @param {string} props.words
 * @param {import("../core/model.js").Facet[]} props.facets  of all alerts, for the completion
 * @param {boolean} [props.only]  matchers only, no words
 * @param {(matchers: import("../core/matchers.js").Matcher[], words: string) => void} props.onChange
 */
export function Search({ matchers, words, facets, only = false, onChange }) {
  const [text, setText] = useState(words);
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  const [problem, setProblem] = useState("");
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const id = useId();
  const offers = useMemo(() => (open ? complete(text, facets) : []), [text, facets, open]);
  const known = useRef(words);
  if (known.current !== words) {
    known.current = words;
    if (document.activeElement !== field.current) setText(words);
  }

  /** @param {string} typed */
  const accept = (typed) => {
    if (!only && !/[=~{]/.test(typed)) {
      known.current = typed;
      onChange(matchers, typed);
      return false;
    }
    try {
      const found = parseMatchers(typed).filter((m) => !matchers.some((old) => sameMatcher(old, m)));
      known.current = "";
      setText("");
      setProblem("");
      onChange([...matchers, ...found], "");
      return true;
    } catch (error) {
      setProblem(/** @type {Error} */ (error).message);
      return false;
    }
  };

  /** @param {string} offer */
  const choose = (offer) => {
    setAt(-1);
    if (offer.endsWith('"')) {
      setOpen(false);
      accept(offer);
    } else {
      setText(offer);
      setOpen(true);
    }
    field.current?.focus();
  };

  /** @param {KeyboardEvent} event */
  const press = (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      setOpen(true);
      const count = offers.length;
      if (count) setAt((event.key === "ArrowDown" ? at + 1 : at <= 0 ? count - 1 : at - 1) % count);
    } else if (event.key === "Enter" || (event.key === "Tab" && at >= 0)) {
      if (at >= 0 && offers[at]) {
        event.preventDefault();
        choose(offers[at][0]);
      } else if (event.key === "Enter") {
        setOpen(false);
        accept(text);
      }
    } else if (event.key === "Escape") {
      if (open) setOpen(false);
      else field.current?.blur();
      setAt(-1);
    } else if (event.key === "Backspace" && !text && matchers.length) {
      onChange(matchers.slice(0, -1), "");
    }
  };

  return html`<div class="search" role="search">
    ${matchers.map(
      (m) => html`<button class="chip on" title="Remove this matcher" aria-label=${`Remove ${formatMatcher(m)}`}
        onClick=${() => onChange(matchers.filter((other) => other !== m), words)}>${formatMatcher(m)} <span aria-hidden="true">✕</span></button>`,
    )}
    <input ref=${field} id="search" type="text" autocomplete="off" spellcheck=${false} value=${text}
      placeholder=${matchers.length ? "" : `${only ? "" : "Words, or "}severity="critical"`} aria-label=${only ? "Filter by matchers" : "Filter by words or matchers"}
      role="combobox" aria-expanded=${offers.length > 0} aria-controls=${id} aria-autocomplete="list"
      aria-activedescendant=${at >= 0 ? `${id}-${at}` : undefined}
      aria-invalid=${problem ? "true" : undefined}
      onInput=${(/** @type {any} */ event) => {
        setText(event.target.value);
        setOpen(true);
        setAt(-1);
        setProblem("");
        if (!only && !/[=~{]/.test(event.target.value)) accept(event.target.value);
      }}
      onKeyDown=${press} onBlur=${() => setOpen(false)} onFocus=${() => setOpen(true)} />
    <kbd aria-hidden="true">/</kbd>
    <ul id=${id} role="listbox" aria-label="Completions" hidden=${offers.length === 0}>
      ${offers.map(
        ([offer, count], i) => html`<li id=${`${id}-${i}`} role="option" aria-selected=${i === at} class=${i === at ? "at" : ""}
          onMouseDown=${(/** @type {Event} */ event) => {
            event.preventDefault(); // the field keeps the focus, so that the list stays open
            choose(offer);
          }}><span>${offer}</span><span class="count">${count || ""}</span></li>`,
      )}
    </ul>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
  </div>`;
}

/** What may be meant: names, then operators, then values. @param {string} text @param {import("../core/model.js").Facet[]} facets
 * @returns {[string, number][]} */
export function complete(text, facets) {
  const begun = /^\s*("(?:[^"\\]|\\.)*"|[^\s"=!~{}]*)\s*(=~|!~|!=|=|!)?\s*"?(.*?)"?\s*$/s.exec(text);
  if (!begun) return [];
  const [, name, operator, value] = begun;
  if (!operator || operator === "!") {
    if (!name) return [];
    const low = name.toLowerCase();
    const exact = facets.find((facet) => facet.name === name);
    /** @type {[string, number][]} */
    const found = exact ? ["=", "!=", "=~", "!~"].map((each) => [`${nameText(name)}${each}`, 0]) : [];
    for (const facet of facets) {
      if (found.length > 8) break;
      if (facet !== exact && facet.name.toLowerCase().includes(low)) found.push([`${nameText(facet.name)}=`, facet.total]);
    }
    for (const facet of facets) {
      for (const [each, count] of facet.values) {
        if (found.length > 11) return found;
        if (each.toLowerCase().includes(low)) found.push([`${nameText(facet.name)}=${quote(each)}`, count]);
      }
    }
    return found;
  }
  const plain = name.startsWith('"') ? name.slice(1, -1) : name;
  const facet = facets.find((one) => one.name === plain);
  if (!facet) return [];
  const low = value.toLowerCase();
  return facet.values
    .filter(([each]) => each.toLowerCase().includes(low))
    .slice(0, 12)
    .map(([each, count]) => [`${nameText(plain)}${operator}${quote(each)}`, count]);
}
