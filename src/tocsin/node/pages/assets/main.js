// The frame of all pages: navigation, keys, what happened, and the page that the address names.
import { html, render, useEffect, useLayoutEffect, useMemo, useState } from "./core/html.js";
import { parseHash } from "./core/router.js";
import { keysNow, listen } from "./core/keys.js";
import { live, refresh, startLooking } from "./core/live.js";
import { node } from "./core/node.js";
import { afterPaint } from "./core/paint.js";
import { useStore } from "./core/store.js";
import { Ago, CopyByHand, Dialog, Notes } from "./parts/basics.js";
import { NAVIGATION, PAGES, load, loadOthers, shown } from "./pages/registry.js";

function App() {
  const [hash, setHash] = useState(location.hash);
  const route = useMemo(() => parseHash(hash), [hash]);
  const [help, setHelp] = useState(false);
  // At once and not after the picture: who is quick presses a key or follows a link as soon as there is one.
  useLayoutEffect(() => {
    const turn = () => setHash(location.hash);
    window.addEventListener("hashchange", turn);
    turn(); // It may have changed since this was drawn.
    const forget = listen([
      { key: "?", what: "These keys", run: () => setHelp(true) },
      { key: "/", what: "Search", run: () => document.getElementById("search")?.focus() },
      { key: "n", what: "New silence", run: () => { if (!node.readOnly) location.hash = "#/silences/new"; } },
    ]);
    return () => {
      window.removeEventListener("hashchange", turn);
      forget();
    };
  }, []);
  const found = PAGES[route.page];
  const Page = shown(route.page);
  const [missing, setMissing] = useState("");
  const [, draw] = useState(0);
  useEffect(() => {
    setMissing("");
    if (!Page) load(route.page).then(() => draw((n) => n + 1), () => setMissing(route.page));
  }, [route.page]);
  useEffect(() => {
    document.title = `${found?.title ?? "Nothing here"} · Tocsin`;
    window.scrollTo(0, 0);
    document.querySelector(".top nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [route.page, route.id]);
  return html`
    <a class="skip" href="#main" onClick=${(/** @type {Event} */ event) => {
      event.preventDefault();
      document.getElementById("main")?.focus();
    }}>Skip to content</a>
    <header class="top">
      <a class="brand" href="#/alerts">Tocsin</a>
      <nav aria-label="Pages">${NAVIGATION.map(
        (name) => html`<a href=${`#/${name}`} aria-current=${found?.within === name ? "page" : undefined}>${PAGES[name].title}</a>`,
      )}</nav>
      <${State} />
      <a class="small" href="#/settings" aria-current=${route.page === "settings" ? "page" : undefined}>Settings</a>
      <button class="plain keys" aria-label="Keys" onClick=${() => setHelp(true)}>?</button>
    </header>
    <main id="main" tabindex="-1">${found
      ? Page ? html`<${Page} key=${found.within === "alerts" && !route.id ? "alerts" : `${route.page} ${route.id ?? ""}`} id=${route.id} query=${route.query} />`
        : missing === route.page && html`<p class="problem" role="alert">This page could not be loaded: the node does not answer, or has been replaced. <button onClick=${() => location.reload()}>Load all anew</button></p>`
      : html`<p class="empty">There is no page ${route.id}. <a href="#/alerts">Alerts</a></p>`}</main>
    <${Notes} />
    <${CopyByHand} />
    ${help && html`<${Dialog} title="Keys" onClose=${() => setHelp(false)}>
      <dl class="keys">${distinctKeys().map((one) => html`<div><dt><kbd>${one.key === "Escape" ? "Esc" : one.key}</kbd></dt><dd>${one.what}</dd></div>`)}</dl>
    <//>`}`;
}

function distinctKeys() {
  return [...new Map(keysNow().map((one) => [one.key, one])).values()];
}

/** Whether what is shown is fresh. */
function State() {
  const now = useStore(live);
  if (now.problem) {
    return html`<button class="live bad" title=${now.problem} onClick=${refresh}>No answer${now.at ? html` for <${Ago} at=${now.at} />` : ""}</button>`;
  }
  const cluster = now.status?.cluster;
  return html`${node.readOnly && html`<span class="badge">read-only</span>`}
    ${now.own?.warnings.length > 0 && html`<a class="badge warn" href="#/status">${now.own.warnings.length} warning${now.own.warnings.length === 1 ? "" : "s"}</a>`}
    ${cluster?.status === "settling" && html`<span class="badge warn">settling</span>`}
    <button class="live" title="Look again now" onClick=${refresh}><span class="sr">Look again now; this is as of</span>${now.at ? html`<${Ago} at=${now.at} />` : "…"}</button>`;
}

const root = document.getElementById("app");
if (root) {
  startLooking();
  load(parseHash(location.hash).page).catch(() => undefined).then(() => {
    render(html`<${App} />`, root);
    afterPaint(() => (window.requestIdleCallback ?? setTimeout)(loadOthers));
  });
}
