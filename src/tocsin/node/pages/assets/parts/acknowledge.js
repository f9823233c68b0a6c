// "I am on it": a silence that ends when what it silences has ended.
import { html, useState } from "../core/html.js";
import { useStore } from "../core/store.js";
import { forEach, node } from "../core/node.js";
import { formatMatchers, matchersOf } from "../core/matchers.js";
import { tell } from "../core/tocsin.js";
import { change, settings } from "../core/settings.js";
import { parseDuration } from "../core/time.js";
import { Dialog, say } from "./basics.js";

const LENGTHS = ["1h", "8h", "1d", "7d"];

/**
 * @param {object} props
 * @param {any[]} props.what   each `{alert, labels}` or `{receiver, group}`
 * @param {() => void} props.onClose
 * @param {(whole: boolean) => void} props.onDone  whether all of it was done
 */
export function Acknowledge({ what, onClose, onDone }) {
  const { creator } = useStore(settings);
  const [comment, setComment] = useState("");
  const [length, setLength] = useState("1d");
  const [busy, setBusy] = useState(false);
  const name = node.creator || creator;
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    if (!name.trim() || busy) return;
    setBusy(true);
    const problems = await forEach(what, ({ labels, ...one }) => tell("acknowledge", {
      ...one, createdBy: name.trim(), duration: parseDuration(length) / 1000, ...(comment.trim() ? { comment: comment.trim() } : {}),
    }));
    if (problems.length) say(`${problems.length} of ${what.length} could not be acknowledged: ${problems[0][1].message}`, true);
    else say(`Acknowledged${what.length > 1 ? ` ${what.length} alerts` : ""}.`);
    onClose();
    onDone(problems.length === 0);
  };
  const first = what[0].group ?? what[0].labels;
  return html`<${Dialog} title=${what.length > 1 ? `Acknowledge ${what.length} alerts` : "Acknowledge"} onClose=${onClose}>
    <form class="form" onSubmit=${submit}>
      <p><b>${first.alertname ?? ""}</b> <code>${formatMatchers(matchersOf(first)) || "one group for all"}</code>
        ${what.length > 1 && html`<span class="quiet"> and ${what.length - 1} more</span>`}</p>
      <p class="quiet">${what[0].group ? "Silences the group" : "Silences each"} until it has ended, so that the next time is news again.</p>
      <label class="field">Who <input value=${name} readonly=${Boolean(node.creator)} required autofocus=${!name} onInput=${(/** @type {any} */ event) => change({ creator: event.target.value })} /></label>
      <label class="field">Comment <input value=${comment} placeholder="acknowledged" autofocus=${Boolean(name)} onInput=${(/** @type {any} */ event) => setComment(event.target.value)} /></label>
      <div class="tools"><span class="quiet">At the latest after</span> ${LENGTHS.map((each) => html`<button type="button" class="toggle" aria-pressed=${length === each} onClick=${() => setLength(each)}>${each}</button>`)}</div>
      <p class="buttons"><button class="primary" disabled=${busy}>Acknowledge</button><button type="button" onClick=${onClose}>Cancel</button></p>
    </form>
  <//>`;
}
