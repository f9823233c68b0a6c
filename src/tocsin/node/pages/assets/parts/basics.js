// Small parts that all pages share.
import { html, useLayoutEffect, useRef, useState } from "../core/html.js";
import { createStore, useStore } from "../core/store.js";
import { settings } from "../core/settings.js";
import { duration, moment } from "../core/time.js";
import { formatMatcher } from "../core/matchers.js";

/** A clock that draws its watchers once in a while. */
const clock = createStore(Date.now());
setInterval(() => document.hidden || clock.set(Date.now()), 5000);

export const useNow = () => useStore(clock);

/** How long since, or until, with the exact time as its title. @param {{at: number, until?: boolean}} props */
export function Ago({ at, until = false }) {
  const now = useNow();
  const { utc } = useStore(settings);
  const text = duration(until ? at - now : now - at);
  return html`<time datetime=${new Date(at).toISOString()} title=${`${moment(at, utc)}${utc ? " UTC" : ""}`}>${text}</time>`;
}

/** @param {{at: number}} props */
export function When({ at }) {
  const { utc } = useStore(settings);
  return html`<time datetime=${new Date(at).toISOString()}>${moment(at, utc)}${utc ? " UTC" : ""}</time>`;
}

/** A matcher, shown. @param {{matcher: import("../core/matchers.js").Matcher}} props */
export function MatcherChip({ matcher }) {
  return html`<code class="chip">${formatMatcher(matcher)}</code>`;
}

/** @type {import("../core/store.js").Store<{id: number, text: string, bad: boolean}[]>} */
const notes = createStore(/** @type {{id: number, text: string, bad: boolean}[]} */ ([]));
let lastNote = 0;

/** Say what happened; a problem stays until it is dismissed. @param {string} text */
export function say(text, bad = false) {
  const id = ++lastNote;
  notes.set([...notes.get().slice(-3), { id, text, bad }]);
  if (!bad) setTimeout(() => dismiss(id), 5000);
}

/** @param {number} id */
function dismiss(id) {
  notes.set(notes.get().filter((note) => note.id !== id));
}

/** What happened, at the foot of the page. */
export function Notes() {
  const shown = useStore(notes);
  return html`<div class="notes" role="status" aria-live="polite">
    ${shown.map(
      (note) => html`<p key=${note.id} class=${note.bad ? "note bad" : "note"}>
        <span>${note.text}</span>
        <button class="plain" aria-label="Dismiss" onClick=${() => dismiss(note.id)}>✕</button>
      </p>`,
    )}
  </div>`;
}

/** @param {string} text @param {string} what */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied ${what}.`);
  } catch {
    // Without TLS a page may not write to the clipboard: it is shown to be copied by hand.
    shownText.set({ text, what });
  }
}

/** @type {import("../core/store.js").Store<{text: string, what: string} | null>} */
const shownText = createStore(/** @type {{text: string, what: string} | null} */ (null));

/** What could not be put on the clipboard. */
export function CopyByHand() {
  const shown = useStore(shownText);
  if (!shown) return null;
  return html`<${Dialog} title=${`Copy ${shown.what}`} onClose=${() => shownText.set(null)}>
    <textarea class="command" readonly autofocus rows="5" aria-label=${shown.what} onFocus=${(/** @type {any} */ e) => e.target.select()}>${shown.text}</textarea>
    <p class="quiet">The browser lets pages write to the clipboard only over TLS.</p>
  <//>`;
}

/** Buttons that copy one thing in several forms. @param {{commands: [string, string][], label?: string}} props */
export function CopyAs({ commands, label = "Copy as" }) {
  return html`<span class="copy-as"><span class="quiet">${label}</span>
    ${commands.map(
      ([name, text]) => html`<button class="small" onClick=${() => copy(text, `the ${name} command`)}>${name}</button>`,
    )}
  </span>`;
}

/**
 * A question or a text above the page. It is open as soon as it is drawn, so that no key goes to the page behind it; what
 * has `autofocus` has the focus. Escape closes it, and the focus goes back to where it was.
 * @param {{title: string, onClose: () => void, children?: any}} props
 */
export function Dialog({ title, onClose, children }) {
  const box = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const pressed = useRef(/** @type {EventTarget | null} */ (null));
  useLayoutEffect(() => {
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    box.current?.showModal();
    return () => before?.focus?.();
  }, []);
  return html`<dialog ref=${box} aria-label=${title} onClose=${onClose}
    onMouseDown=${(/** @type {Event} */ event) => { pressed.current = event.target; }}
    onClick=${(/** @type {Event} */ event) => {
      // Beside it; not where a selection of text ends that began inside.
      if (event.target === box.current && pressed.current === box.current) onClose();
    }}>
    <div class="dialog">
      <header><h2>${title}</h2><button class="plain" aria-label="Close" onClick=${onClose}>✕</button></header>
      ${children}
    </div>
  </dialog>`;
}

/** Asks before something is done. @param {{title: string, children: any, verb: string, onDo: () => Promise<void>, onClose: () => void}} props */
export function Confirm({ title, children, verb, onDo, onClose }) {
  const [busy, setBusy] = useState(false);
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${children}
    <p class="buttons">
      <button class="primary" disabled=${busy} onClick=${async () => {
        setBusy(true);
        await onDo();
        onClose();
      }}>${verb}</button>
      <button onClick=${onClose}>Cancel</button>
    </p>
  <//>`;
}

/** While there is nothing, or why there is nothing. @param {{live: import("../core/live.js").Live}} props */
export function Waiting({ live }) {
  if (live.problem) return html`<p class="banner bad" role="alert">${live.problem} It is asked again.</p>`;
  return html`<p class="empty">Asking the node…</p>`;
}

/** Text with its web addresses made links. @param {{text: string}} props */
export function Linked({ text }) {
  const parts = text.split(/(https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]])/g);
  return parts.map((part, index) => (index % 2 ? html`<${Out} href=${part}>${part}<//>` : part));
}

/** A link to elsewhere; anything but http and https is shown as text. @param {{href: string, children?: any, class?: string}} props */
export function Out({ href, children, ...rest }) {
  if (!isWeb(href)) return html`<span>${children}</span>`;
  return html`<a href=${href} target="_blank" rel="noopener noreferrer" ...${rest}>${children}</a>`;
}

/** @type {Map<string, boolean>} */
const webs = new Map();

/** Whether it is an address of http or https. Each is read once: rows are drawn often. @param {string} href */
export function isWeb(href) {
  let found = webs.get(href);
  if (found === undefined) {
    try {
      found = /^https?:$/.test(new URL(href).protocol);
    } catch {
      found = false;
    }
    if (webs.size >= 2000) webs.clear();
    webs.set(href, found);
  }
  return found;
}
