// Requests to the node that served this page: always to its own address, always JSON, never cookies.

/** What the node told with the page. */
export const node = {
  readOnly: "readOnly" in document.documentElement.dataset,
  creator: document.documentElement.dataset.creator ?? "",
  /** The address of the page, where the API lies too. */
  base: new URL(".", document.baseURI.replace(/[#?].*$/, "")).href,
};

export class NodeError extends Error {
  /** @param {string} message @param {number} status 0: no answer */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** @param {string} path @param {RequestInit} [options] @param {Promise<Response> | null} [early] what was asked for already */
async function request(path, options = {}, early = null) {
  let answer;
  try {
    answer = await (early ?? fetch(new URL(path, node.base), {
      credentials: "same-origin",
      redirect: "error",
      referrerPolicy: "no-referrer",
      ...options,
      headers: { Accept: "application/json", ...options.headers },
    }));
  } catch (error) {
    if (/** @type {Error} */ (error).name === "AbortError") throw error;
    throw new NodeError("The node does not answer.", 0);
  }
  if (answer.ok) return answer;
  const text = (await answer.text()).slice(0, 2000).trim();
  let said = text;
  try {
    const value = JSON.parse(text);
    said = typeof value === "string" ? value : (value.message ?? value.error ?? text);
  } catch {
    // Plain text, then.
  }
  throw new NodeError(said || `The node answered with status ${answer.status}.`, answer.status);
}

/** @param {string} path @param {AbortSignal} [signal] @param {Promise<Response> | null} [early] @returns {Promise<any>} */
export async function read(path, signal, early) {
  return (await request(path, { signal }, early)).json();
}

/** What early.js has asked for, once. @returns {Promise<Response> | null} */
export function takeFirst() {
  const holder = /** @type {any} */ (window);
  const first = holder.tocsinFirst ?? null;
  holder.tocsinFirst = null;
  return first;
}

/** @param {string} path @param {unknown} body @returns {Promise<any>} */
export async function send(path, body) {
  const answer = await request(path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
  });
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

/** @param {string} id of a silence */
export async function expireSilence(id) {
  await request(`api/v2/silence/${encodeURIComponent(id)}`, { method: "DELETE" });
}

/** @param {object} silence as the API takes it @returns {Promise<string>} its id */
export async function putSilence(silence) {
  return (await send("api/v2/silences", silence)).silenceID;
}

/** The alerts that a silence would mute, by the node's own matching. @param {string[]} filters @param {AbortSignal} [signal] */
export function alertsMatching(filters, signal) {
  const query = filters.map((filter) => `filter=${encodeURIComponent(filter)}`).join("&");
  return read(`api/v2/alerts?${query}`, signal);
}

/** Do `work` for each, a few at a time; the problems, by what they belong to.
 * @template T @param {T[]} list @param {(one: T) => Promise<unknown>} work @returns {Promise<[T, Error][]>} */
export async function forEach(list, work, atOnce = 4) {
  const left = [...list];
  /** @type {[T, Error][]} */
  const problems = [];
  const worker = async () => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) {
      try {
        await work(one);
      } catch (error) {
        problems.push([one, /** @type {Error} */ (error)]);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, list.length) }, worker));
  return problems;
}
