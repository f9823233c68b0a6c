// Tocsin's own API: what Alertmanager's has no place for.
import { read, send } from "./node.js";
import { useEffect, useState } from "./html.js";

export const API = "api/tocsin/v1/";

/** All pages of a list. @param {string} path @param {AbortSignal} [signal] @returns {Promise<any[]>} */
export async function readAll(path, signal) {
  const items = [];
  let after = "";
  do {
    const mark = path.includes("?") ? "&" : "?";
    const page = await read(`${API}${path}${mark}limit=1000${after && `&after=${encodeURIComponent(after)}`}`, signal);
    items.push(...page.items);
    after = page.next;
  } while (after);
  return items;
}

/** @param {string} path @param {AbortSignal} [signal] */
export const ask = (path, signal) => read(`${API}${path}`, signal);

/** @param {string} path @param {unknown} body */
export const tell = (path, body) => send(`${API}${path}`, body);

/**
 * What a request answers, asked anew whenever `inputs` change; the answer before stays until the next one is there.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} request
 * @param {unknown[]} inputs
 * @returns {{value: T | null, problem: string}}
 */
export function useAnswer(request, inputs) {
  const [answer, setAnswer] = useState(/** @type {{value: T | null, problem: string}} */ ({ value: null, problem: "" }));
  useEffect(() => {
    const stop = new AbortController();
    request(stop.signal).then(
      (value) => setAnswer({ value, problem: "" }),
      (error) => error.name !== "AbortError" && setAnswer((old) => ({ ...old, problem: error.message })),
    );
    return () => stop.abort();
  }, inputs);
  return answer;
}
