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
