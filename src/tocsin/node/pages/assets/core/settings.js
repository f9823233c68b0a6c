// What one person chose for this browser. Nothing of it leaves the browser.
import { createStore } from "./store.js";

/**
 * @typedef {object} Settings
 * @property {"auto" | "light" | "dark"} theme
 * @property {boolean} utc
 * @property {"dense" | "roomy"} density
 * @property {string} creator  who signs silences
 * @property {string} duration of a new silence
 * @property {number} refresh  seconds between looks; 0: only when asked
 */

const KEY = "tocsin-settings";
/** @type {Settings} */
export const DEFAULTS = { theme: "auto", utc: false, density: "dense", creator: "", duration: "2h", refresh: 10 };

/** @returns {Settings} */
function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) || "{}");
    /** @type {any} */
    const found = { ...DEFAULTS };
    for (const name of Object.keys(DEFAULTS)) {
      if (typeof kept[name] === typeof found[name]) found[name] = kept[name];
    }
    return found;
  } catch {
    return { ...DEFAULTS };
  }
}

export const settings = createStore(load());

/** @param {Partial<Settings>} change */
export function change(change) {
  const next = { ...settings.get(), ...change };
  settings.set(next);
  try {
    localStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    // Not kept, then; it holds for this visit.
  }
  show(next);
}

/** @param {Settings} chosen */
export function show(chosen) {
  const root = document.documentElement;
  if (chosen.theme === "auto") delete root.dataset.theme;
  else root.dataset.theme = chosen.theme;
  if (chosen.density === "roomy") root.dataset.density = "roomy";
  else delete root.dataset.density;
}
