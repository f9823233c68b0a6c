// What the pages use of htm.mjs, for tools/pages/check-types only.
declare const htm: { bind(h: Function): (strings: TemplateStringsArray, ...values: any[]) => any };
export default htm;
