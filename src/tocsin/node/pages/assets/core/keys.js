// Keys that work anywhere on a page, unless somebody types.

/** @typedef {{key: string, what: string, run: (event: KeyboardEvent) => void}} Key */

/** @type {Key[][]} */
const layers = [];

/** @param {EventTarget | null} target */
function takesText(target) {
  return target instanceof HTMLElement
    && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
    && !(target instanceof HTMLInputElement && /^(checkbox|radio|button|range)$/.test(target.type));
}

/** Add keys until the returned function is called. @param {Key[]} keys */
export function listen(keys) {
  layers.push(keys);
  return () => {
    const index = layers.indexOf(keys);
    if (index >= 0) layers.splice(index, 1);
  };
}

/** What can be pressed now. @returns {Key[]} */
export function keysNow() {
  return layers.flat();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (takesText(event.target) || document.querySelector("dialog[open]")) return;
  for (const layer of [...layers].reverse()) {
    const found = layer.find((one) => one.key === event.key);
    if (found) {
      event.preventDefault();
      found.run(event);
      return;
    }
  }
});
