// The only way in which the pages make HTML: text stays text.
import { h, render, Fragment } from "../vendor/preact.mjs";
import htm from "../vendor/htm.mjs";

export { render, Fragment };
export { useState, useEffect, useLayoutEffect, useMemo, useCallback, useRef, useId } from "../vendor/hooks.mjs";
export const html = htm.bind(h);
