// Of very many alerts the worst are asked for first, then all: while the other modules are still on their way.
import { BEFORE, SEVERITIES } from "./severities.js";

/** @param {string} path @param {AbortController} stop */
const ask = (path, stop) => fetch(path, {
  credentials: "same-origin", redirect: "error", referrerPolicy: "no-referrer", headers: { Accept: "application/json" }, signal: stop.signal,
});

/** So long, in milliseconds, the worst are waited for before all are asked for beside them. */
const PAUSE = 3_000;

if ("many" in document.documentElement.dataset) {
  const stop = new AbortController();
  const order = SEVERITIES.flatMap((severity) => (severity === BEFORE ? ["", severity] : [severity])).join(",");
  const worst = ask(`api/tocsin/v1/alerts/worst?order=${encodeURIComponent(order)}`, stop);
  const all = () => ask("api/v2/alerts/groups", stop);
  // One after the other, as the node has both to do; a node that is long about the first is asked for all anyway.
  const pause = new Promise((done) => { setTimeout(done, PAUSE); });
  const answer = Promise.race([worst, pause]).then(all, all);
  answer.catch(() => undefined); // The one that awaits it sees the problem.
  const first = worst.then((found) => (found.ok ? found.json() : Promise.reject(new Error("not answered"))));
  first.catch(() => undefined); // All of them follow.
  Object.assign(window, { tocsinFirst: { answer, stop, worst: first } });
}
