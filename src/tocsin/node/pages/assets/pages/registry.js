// Which pages there are. A page is a component that is given `id` and `query` of its address.
import { AlertPage } from "./alert.js";
import { AlertsPage } from "./alerts.js";
import { ClusterPage } from "./cluster.js";
import { HistoryPage } from "./history.js";
import { ReceiversPage } from "./receivers.js";
import { RoutesPage } from "./routes.js";
import { SettingsPage } from "./settings.js";
import { SilenceFormPage } from "./silenceform.js";
import { SilencePage } from "./silence.js";
import { SilencesPage } from "./silences.js";
import { StatusPage } from "./status.js";

/** @type {Record<string, {title: string, show: any, within: string}>} `within`: the entry of the navigation */
export const PAGES = {
  alerts: { title: "Alerts", show: AlertsPage, within: "alerts" },
  alert: { title: "Alert", show: AlertPage, within: "alerts" },
  silences: { title: "Silences", show: SilencesPage, within: "silences" },
  silence: { title: "Silence", show: SilencePage, within: "silences" },
  "silence-form": { title: "Silence", show: SilenceFormPage, within: "silences" },
  routes: { title: "Routes", show: RoutesPage, within: "routes" },
  receivers: { title: "Receivers", show: ReceiversPage, within: "receivers" },
  history: { title: "History", show: HistoryPage, within: "history" },
  cluster: { title: "Cluster", show: ClusterPage, within: "cluster" },
  status: { title: "Status", show: StatusPage, within: "status" },
  settings: { title: "Settings", show: SettingsPage, within: "settings" },
};

export const NAVIGATION = ["alerts", "silences", "routes", "receivers", "history", "cluster", "status"];
