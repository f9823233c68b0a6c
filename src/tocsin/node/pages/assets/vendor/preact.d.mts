// What the pages use of preact.mjs, for tools/pages/check-types only.
export type Node = unknown;
export function h(type: unknown, props: unknown, ...children: unknown[]): unknown;
export function render(node: unknown, parent: Element): void;
export const Fragment: unknown;
export const options: Record<string, unknown>;
