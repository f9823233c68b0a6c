// Where the address leads: every form of link that Alertmanager's own page makes or takes.

/**
 * @typedef {object} Route
 * @property {string} page  alerts, alert, silences, silence, silence-form, routes, receivers, history, cluster, status, settings
 * @property {string} [id]  of a silence or an alert
 * @property {URLSearchParams} query
 */

const PLAIN = new Set(["alerts", "silences", "routes", "receivers", "history", "cluster", "status", "settings"]);
const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

/** @param {string} hash as `location.hash` has it @returns {Route} */
export function parseHash(hash) {
  const text = hash.replace(/^#!?\/?/, "");
  const mark = text.indexOf("?");
  const query = new URLSearchParams(mark < 0 ? "" : text.slice(mark + 1));
  const parts = (mark < 0 ? text : text.slice(0, mark)).split("/").filter(Boolean).map(decode);
  const [page = "alerts", id, verb] = parts;
  if (page === "silences" && id === "new") return { page: "silence-form", query };
  if (page === "silences" && id && UUID.test(id)) {
    return { page: verb === "edit" ? "silence-form" : "silence", id, query };
  }
  if (page === "alerts" && id) return { page: "alert", id, query };
  if (PLAIN.has(page) && parts.length <= 1) return { page, query };
  return { page: "unknown", id: text, query };
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * A link to a page.
 * @param {string} path as `silences/new`
 * @param {Record<string, string | boolean | string[] | null | undefined>} [query] what is empty is left out; a list: each of it
 */
export function hrefTo(path, query = {}) {
  const pairs = Object.entries(query)
    .flatMap(([name, value]) => (Array.isArray(value) ? value.map((each) => /** @type {const} */ ([name, each])) : [/** @type {const} */ ([name, value])]))
    .filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== false)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return `#/${path}${pairs.length ? `?${pairs.join("&")}` : ""}`;
}

/** Show another address without a new entry in the history. @param {string} href */
export function replaceHash(href) {
  if (location.hash === href) return;
  history.replaceState(null, "", href);
  window.dispatchEvent(new Event("hashchange"));
}
