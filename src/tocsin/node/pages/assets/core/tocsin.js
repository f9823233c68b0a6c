// Tocsin's own API: what Alertmanager's has no place for.
import { read, send } from "./node.js";
import { useEffect, useRef, useState } from "./html.js";
import { keepingPlace } from "./keep.js";

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

/** @param {string} path @param {unknown} body @param {number} [patience] milliseconds */
export const tell = (path, body, patience) => send(`${API}${path}`, body, patience);

/** So many times as long as a question took, and this at most, in milliseconds, is waited before it is asked again. */
const REST = 4;
const LONGEST_REST = 10_000;

/**
 * What a request answers; the answer before stays until the next one is there. Other `inputs` are another question: the
 * one under way is given up. Another `stamp` means that the answer may have changed: it is asked again once the one
 * under way is answered, however often that happens meanwhile.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} request
 * @param {unknown[]} inputs
 * @param {unknown} [stamp]
 * @returns {{value: T | null, problem: string}}
 */
export function useAnswer(request, inputs, stamp) {
  const [answer, setAnswer] = useState(/** @type {{value: T | null, problem: string}} */ ({ value: null, problem: "" }));
  const latest = useRef(request);
  latest.current = request;
  const again = useRef(() => {});
  const asked = useRef(stamp);
  useEffect(() => {
    const stop = new AbortController();
    let [busy, stale, timer] = [false, false, 0];
    const ask = async () => {
      if (busy) {
        stale = true;
        return;
      }
      busy = true;
      stale = false;
      const begun = performance.now();
      try {
        const value = await latest.current(stop.signal);
        if (!stop.signal.aborted) keepingPlace(() => setAnswer({ value, problem: "" }));
      } catch (error) {
        const { name, message } = /** @type {Error} */ (error);
        if (name !== "AbortError" && !stop.signal.aborted) setAnswer((old) => ({ ...old, problem: message }));
      }
      if (stop.signal.aborted) return;
      timer = window.setTimeout(() => {
        busy = false;
        if (stale) ask();
      }, Math.min(LONGEST_REST, REST * (performance.now() - begun)));
    };
    again.current = ask;
    ask();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, inputs);
  useEffect(() => {
    if (asked.current === stamp) return;
    asked.current = stamp;
    again.current();
  }, [stamp]);
  return answer;
}
