// Matchers: read, written and tried, as Alertmanager does.

/**
 * @typedef {object} Matcher as the API has it
 * @property {string} name
 * @property {string} value
 * @property {boolean} isRegex
 * @property {boolean} isEqual
 * @property {RegExp | null} [compiled] null: this browser cannot, only the node
 */

/** @typedef {Record<string, string>} Labels */

export const OPERATORS = ["=", "!=", "=~", "!~"];
const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/** @param {string} name @param {string} operator @param {string} value @returns {Matcher} */
export function matcher(name, operator, value) {
  return { name, value, isRegex: operator.endsWith("~"), isEqual: operator[0] === "=" };
}

/** @param {Matcher} m */
export function operatorOf(m) {
  return m.isEqual === false ? (m.isRegex ? "!~" : "!=") : m.isRegex ? "=~" : "=";
}

/** @param {string} text */
export function quote(text) {
  return `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n")}"`;
}

/** A label name, quoted if it must be. @param {string} name */
export function nameText(name) {
  return NAME.test(name) ? name : quote(name);
}

/** @param {Matcher} m */
export function formatMatcher(m) {
  return `${nameText(m.name)}${operatorOf(m)}${quote(m.value)}`;
}

/** In braces, as links have it. @param {Matcher[]} list */
export function formatMatchers(list) {
  return list.length ? `{${list.map(formatMatcher).join(", ")}}` : "";
}

/** Of all labels of a set. @param {Labels} labels */
export function matchersOf(labels) {
  return Object.keys(labels).sort().map((name) => matcher(name, "=", labels[name]));
}

/**
 * Read `a="b", c=~"d"`, with or without braces; names and values may be quoted or bare.
 * @param {string} text
 * @returns {Matcher[]}
 * @throws {Error} with words for the reader
 */
export function parseMatchers(text) {
  let rest = text.trim();
  if (rest.startsWith("{")) {
    if (!rest.endsWith("}")) throw new Error("a closing } is missing");
    rest = rest.slice(1, -1);
  }
  /** @type {Matcher[]} */
  const found = [];
  rest = rest.trim();
  while (rest) {
    const [name, afterName] = take(rest, /^[^\s"'`=!~{},]+/, "a label name");
    const sign = /^\s*(=~|!~|!=|=)\s*/.exec(afterName);
    if (!sign) throw new Error(`after ${nameText(name)} one of = != =~ !~ is missing`);
    let value, after;
    const tail = afterName.slice(sign[0].length);
    if (tail === "" || tail.startsWith(",")) [value, after] = ["", tail];
    else [value, after] = take(tail, /^[^\s,"{}]+(?:[^,"{}]*[^\s,"{}])?/, "a value");
    const m = matcher(name, sign[1], value);
    if (m.isRegex) check(m);
    found.push(m);
    rest = after.trim();
    if (rest && !rest.startsWith(",")) throw new Error(`a comma is missing before ${rest.slice(0, 20)}`);
    rest = rest.replace(/^,\s*/, "");
  }
  return found;
}

/** @param {string} text @param {RegExp} bare @param {string} what @returns {[string, string]} */
function take(text, bare, what) {
  if (text[0] === '"') {
    const found = /^"((?:[^"\\]|\\.)*)"/s.exec(text);
    if (!found) throw new Error("a closing quote is missing");
    const value = found[1].replace(/\\(.)/gs, (_, c) => (c === "n" ? "\n" : c === "t" ? "\t" : c));
    return [value, text.slice(found[0].length)];
  }
  const found = bare.exec(text);
  if (!found) throw new Error(`${what} is missing before ${text.slice(0, 20) || "the end"}`);
  return [found[0], text.slice(found[0].length)];
}

/** Refuse what no engine takes; what only this browser cannot read, the node tries. @param {Matcher} m */
function check(m) {
  let depth = 0;
  for (const part of m.value.replace(/\\./gs, "").replace(/\[[^\]]*\]/g, "")) {
    if (part === "(") depth += 1;
    if (part === ")") depth -= 1;
    if (depth < 0) break;
  }
  if (depth !== 0) throw new Error(`the parentheses of ${m.value} do not fit`);
}

/** @param {Matcher} m @returns {RegExp | null} */
export function compile(m) {
  if (m.compiled === undefined) {
    const flags = /^\(\?([ims]+)\)/.exec(m.value);
    try {
      m.compiled = new RegExp(
        `^(?:${flags ? m.value.slice(flags[0].length) : m.value})$`,
        `${flags ? flags[1] : ""}su`.replace(/s(?=.*s)/, ""),
      );
    } catch {
      m.compiled = null;
    }
  }
  return m.compiled ?? null;
}

/** Whether this browser can try all of them. @param {Matcher[]} list */
export function readable(list) {
  return list.every((m) => !m.isRegex || compile(m) !== null);
}

/** A label that is missing counts as empty. @param {Matcher} m @param {Labels} labels */
export function matches(m, labels) {
  const value = labels[m.name] ?? "";
  const hit = m.isRegex ? (compile(m)?.test(value) ?? false) : value === m.value;
  return hit === (m.isEqual !== false);
}

/** @param {Matcher[]} list @param {Labels} labels */
export function matchesAll(list, labels) {
  for (const m of list) if (!matches(m, labels)) return false;
  return true;
}

/** Whether it takes an alert that lacks the label: alone it takes nearly everything. @param {Matcher} m */
export function takesEmpty(m) {
  return matches(m, {});
}

/** @param {string} text */
export function escapeRegex(text) {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

/** One matcher for several values of a label. @param {string} name @param {string[]} values */
export function matcherFor(name, values) {
  const own = [...new Set(values)].sort();
  return own.length === 1
    ? matcher(name, "=", own[0])
    : matcher(name, "=~", own.map(escapeRegex).join("|"));
}

/** The same matcher? @param {Matcher} a @param {Matcher} b */
export function sameMatcher(a, b) {
  return a.name === b.name && a.value === b.value && a.isRegex === b.isRegex
    && (a.isEqual !== false) === (b.isEqual !== false);
}
