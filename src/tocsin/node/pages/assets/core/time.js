// Times and durations, as people and as Prometheus write them. Milliseconds throughout.

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const UNITS = /** @type {[string, number][]} */ ([
  ["w", 7 * DAY], ["d", DAY], ["h", HOUR], ["m", MINUTE], ["s", 1000],
]);

/** At most two units: `3d 4h`. @param {number} milliseconds */
export function duration(milliseconds) {
  let left = Math.max(0, Math.round(milliseconds / 1000) * 1000);
  if (left < 1000) return "0s";
  const parts = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(left / size);
    if (count) parts.push(`${count}${unit}`);
    else if (parts.length) break;
    left -= count * size;
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}

/** Exactly, without spaces, as flags and tools take it. @param {number} milliseconds */
export function exactDuration(milliseconds) {
  let left = Math.max(0, Math.round(milliseconds / 1000) * 1000);
  let text = "";
  for (const [unit, size] of UNITS) {
    const count = Math.floor(left / size);
    if (count) text += `${count}${unit}`;
    left -= count * size;
  }
  return text || "0s";
}

/** `1d12h`, `90m`, also with spaces; NaN if it is none. @param {string} text */
export function parseDuration(text) {
  const compact = text.replace(/\s+/g, "");
  if (!/^(?:\d+(?:\.\d+)?[wdhms])+$/.test(compact)) return NaN;
  let total = 0;
  for (const [, count, unit] of compact.matchAll(/(\d+(?:\.\d+)?)([wdhms])/g)) {
    total += Number(count) * (UNITS.find(([name]) => name === unit)?.[1] ?? NaN);
  }
  return total;
}

/** @param {number} n */
const two = (n) => String(n).padStart(2, "0");

/** `2026-03-01 04:05:06`, in UTC or as the machine's clock shows. @param {number} at @param {boolean} utc */
export function moment(at, utc, seconds = true) {
  const d = new Date(at);
  if (Number.isNaN(d.getTime())) return "";
  const [y, mo, da, h, mi, s] = utc
    ? [d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate(), d.getUTCHours(), d.getUTCMinutes(), d.getUTCSeconds()]
    : [d.getFullYear(), d.getMonth(), d.getDate(), d.getHours(), d.getMinutes(), d.getSeconds()];
  return `${y}-${two(mo + 1)}-${two(da)} ${two(h)}:${two(mi)}${seconds ? `:${two(s)}` : ""}`;
}

/** The reverse, for what people type; NaN if it is no time. @param {string} text @param {boolean} utc */
export function parseMoment(text, utc) {
  const found = /^\s*(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?\s*(Z)?\s*$/.exec(text);
  if (!found) return NaN;
  const [y, mo, da, h, mi, s] = found.slice(1, 7).map((part) => Number(part ?? 0));
  const at = utc || found[7] ? Date.UTC(y, mo - 1, da, h, mi, s) : new Date(y, mo - 1, da, h, mi, s).getTime();
  const back = new Date(at);
  return (utc || found[7] ? back.getUTCDate() : back.getDate()) === da ? at : NaN;
}
