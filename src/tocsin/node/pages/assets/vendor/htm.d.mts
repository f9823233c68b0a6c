// What the pages use of htm.mjs, for `make check-pages` only.
declare const htm: { bind(h: Function): (strings: TemplateStringsArray, ...values: any[]) => any };
export default htm;
