// Requests to the node that served this page: always to its own address, always JSON, never cookies.

/** What the node told with the page. */
export const node = {
  readOnly: "readOnly" in document.documentElement.dataset,
  creator: document.documentElement.dataset.creator ?? "",
  /** The address of the page, where the API lies too. */
  base: new URL(".", document.baseURI.replace(/[#?].*$/, "")).href,
};

/** So long, in milliseconds, a node may take to begin its answer and to end it. */
const PATIENCE = 30_000;

export class NodeError extends Error {
  /** @param {string} message @param {number} status 0: no answer */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/**
 * Ask, and take the answer with `take`: both in time, as a node that has stopped, and a connection that a sleeping laptop
 * has lost, answer neither yes nor no.
 * @template T
 * @param {string} path
 * @param {RequestInit} options
 * @param {(answer: Response) => Promise<T>} take
 * @param {{patience?: number, early?: Early | null}} [more] `early`: what was asked for already
 * @returns {Promise<T>}
 */
async function request(path, options, take, { patience = PATIENCE, early = null } = {}) {
  const stop = early?.stop ?? new AbortController();
  let late = false;
  const giveUp = () => stop.abort();
  const timer = setTimeout(() => {
    late = true;
    stop.abort();
  }, patience);
  options.signal?.addEventListener("abort", giveUp);
  if (options.signal?.aborted) stop.abort();
  try {
    const answer = await (early?.answer ?? fetch(new URL(path, node.base), {
      credentials: "same-origin",
      redirect: "error",
      referrerPolicy: "no-referrer",
      ...options,
      signal: stop.signal,
      headers: { Accept: "application/json", ...options.headers },
    }));
    if (answer.ok) return await take(answer);
    throw new NodeError(said(await answer.text()) || `The node answered with status ${answer.status}.`, answer.status);
  } catch (error) {
    const { name } = /** @type {Error} */ (error);
    if (error instanceof NodeError || (name === "AbortError" && !late)) throw error;
    if (name === "SyntaxError") throw new NodeError("What answers is not the node: a proxy, perhaps, that asks who you are.", 0);
    const unsure = options.method ? " Whether it has done this is not known." : "";
    throw new NodeError(`The node does not answer.${late ? unsure : ""}`, 0);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", giveUp);
  }
}

/** The words of a refusal. @param {string} answer @returns {string} */
function said(answer) {
  const text = answer.slice(0, 2000).trim();
  try {
    const value = JSON.parse(text);
    return typeof value === "string" ? value : (value.message ?? value.error ?? text);
  } catch {
    return text; // Plain, then.
  }
}

/** @param {string} path @param {AbortSignal} [signal] @param {Early | null} [early] @returns {Promise<any>} */
export function read(path, signal, early) {
  return request(path, { signal }, (answer) => answer.json(), { early });
}

/** @typedef {{answer: Promise<Response>, stop: AbortController, worst?: Promise<any>}} Early */

/** What early.js or first.js has asked for, once. @returns {Early | null} */
export function takeFirst() {
  const holder = /** @type {any} */ (window);
  const first = holder.tocsinFirst ?? null;
  holder.tocsinFirst = null;
  return first;
}

/** @param {string} path @param {unknown} body @param {number} [patience] milliseconds @returns {Promise<any>} */
export function send(path, body, patience) {
  return request(path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
  }, async (answer) => {
    const text = await answer.text();
    return text ? JSON.parse(text) : null;
  }, { patience });
}

/** @param {string} id of a silence */
export async function expireSilence(id) {
  await request(`api/v2/silence/${encodeURIComponent(id)}`, { method: "DELETE" }, (answer) => answer.text());
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
