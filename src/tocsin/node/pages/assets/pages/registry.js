// Which pages there are. A page is a component that is given `id` and `query` of its address; its module is loaded when it
// is looked at, or once there is nothing else to do.

/** @typedef {{title: string, within: string, load: () => Promise<any>}} Page `within`: the entry of the navigation */

/** @type {Record<string, Page>} */
export const PAGES = {
  alerts: { title: "Alerts", within: "alerts", load: async () => (await import("./alerts.js")).AlertsPage },
  alert: { title: "Alert", within: "alerts", load: async () => (await import("./alert.js")).AlertPage },
  silences: { title: "Silences", within: "silences", load: async () => (await import("./silences.js")).SilencesPage },
  silence: { title: "Silence", within: "silences", load: async () => (await import("./silence.js")).SilencePage },
  "silence-form": { title: "Silence", within: "silences", load: async () => (await import("./silenceform.js")).SilenceFormPage },
  routes: { title: "Routes", within: "routes", load: async () => (await import("./routes.js")).RoutesPage },
  receivers: { title: "Receivers", within: "receivers", load: async () => (await import("./receivers.js")).ReceiversPage },
  history: { title: "History", within: "history", load: async () => (await import("./history.js")).HistoryPage },
  cluster: { title: "Cluster", within: "cluster", load: async () => (await import("./cluster.js")).ClusterPage },
  status: { title: "Status", within: "status", load: async () => (await import("./status.js")).StatusPage },
  settings: { title: "Settings", within: "settings", load: async () => (await import("./settings.js")).SettingsPage },
};

export const NAVIGATION = ["alerts", "silences", "routes", "receivers", "history", "cluster", "status"];

/** The components of the pages whose modules are there, by page. @type {Map<string, any>} */
const loaded = new Map();

/** The component of a page, or undefined while its module is not there. @param {string} name */
export const shown = (name) => loaded.get(name);

/** Have the module of a page. Rejects if it cannot be loaded. @param {string} name */
export async function load(name) {
  if (PAGES[name] && !loaded.has(name)) loaded.set(name, await PAGES[name].load());
}

/** Have all others, one after another: then they are there, also when the node is not. */
export async function loadOthers() {
  for (const name of Object.keys(PAGES)) {
    try {
      await load(name);
    } catch {
      return; // The page that is shown says so.
    }
  }
}
