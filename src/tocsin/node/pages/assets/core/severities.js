// How bad an alert is by its label `severity`: the worst first.

export const SEVERITIES = ["page", "critical", "error", "high", "warning", "medium", "info", "low", "none"];
/** What is not known comes before this one. */
export const BEFORE = "info";
