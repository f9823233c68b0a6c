// Before the first paint: the chosen theme and density. A classic script, so that nothing is shown twice.
(() => {
  try {
    const kept = JSON.parse(localStorage.getItem("tocsin-settings") || "{}");
    const root = document.documentElement;
    if (kept.theme === "light" || kept.theme === "dark") root.dataset.theme = kept.theme;
    if (kept.density === "roomy") root.dataset.density = "roomy";
  } catch {
    // Storage that is closed or damaged: the defaults serve.
  }
})();
// The largest answer is asked for while the modules are still on their way; if it is very large, first.js asks.
(() => {
  if ("many" in document.documentElement.dataset) return;
  const stop = new AbortController();
  const answer = fetch("api/v2/alerts/groups", {
    credentials: "same-origin", redirect: "error", referrerPolicy: "no-referrer", headers: { Accept: "application/json" }, signal: stop.signal,
  });
  answer.catch(() => undefined); // The one that awaits it sees the problem.
  Object.assign(window, { tocsinFirst: { answer, stop } });
})();
