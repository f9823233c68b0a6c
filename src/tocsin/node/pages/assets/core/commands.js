// The same thing for a terminal: what a silence or a search is as curl, amtool and tocsinctl.
import { formatMatcher } from "./matchers.js";
import { exactDuration } from "./time.js";
import { node } from "./node.js";

/** One word for a shell. @param {string} text */
export function word(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`;
}

const url = () => node.base.replace(/\/$/, "");

/** @param {import("./matchers.js").Matcher[]} matchers */
const listed = (matchers) => matchers.map((m) => word(formatMatcher(m))).join(" ");

/** @param {any} silence as the API takes it @param {import("./matchers.js").Matcher[][]} [sets] of matchers, a silence each: a line each
 * @returns {[string, string][]} name and command */
export function silenceCommands(silence, sets = [silence.matchers]) {
  if (sets.length > 1) {
    // The first one changes a silence, if it has an id; the others are new.
    const all = sets.map((matchers, i) => silenceCommands({ ...silence, ...(i ? { id: undefined } : {}), matchers }));
    return all[0].map(([name], i) => [name, all.map((commands) => commands[i][1]).join("\n")]);
  }
  const length = Date.parse(silence.endsAt) - Date.parse(silence.startsAt);
  const options = `--author=${word(silence.createdBy)} --duration=${exactDuration(length)} --comment=${word(silence.comment)}`;
  return [
    ["curl", `curl -sS -H 'Content-Type: application/json' -d ${word(JSON.stringify(silence))} ${word(`${url()}/api/v2/silences`)}`],
    ["amtool", `amtool --alertmanager.url=${word(url())} silence add ${options} ${listed(silence.matchers)}`],
    ["tocsinctl", `tocsinctl --alertmanager.url=${word(url())} silence add ${options} --wait ${listed(silence.matchers)}`],
  ];
}

/** @param {import("./matchers.js").Matcher[]} matchers @returns {[string, string][]} */
export function alertCommands(matchers) {
  const filters = matchers.map((m) => `filter=${encodeURIComponent(formatMatcher(m))}`).join("&");
  return [
    ["curl", `curl -sS ${word(`${url()}/api/v2/alerts?${filters}`)}`],
    ["amtool", `amtool --alertmanager.url=${word(url())} alert query ${listed(matchers)}`],
    ["tocsinctl", `tocsinctl --alertmanager.url=${word(url())} alert query ${listed(matchers)}`],
  ];
}
