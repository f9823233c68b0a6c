// A list of any length of which only what is in sight is drawn. What is being read or pointed at does not move when the
// list changes: that row, or else the first one in sight, stays where it is.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../core/html.js";
import { afterPaint } from "../core/paint.js";

/**
 * @template T
 * @param {object} props
 * @param {T[]} props.items          each with a `key`
 * @param {(item: T) => any} props.row
 * @param {(item: T) => number} props.guess  its height before it was drawn once, in pixels
 * @param {string} props.label
 * @param {unknown} props.wanted   another one: somebody asked for another list, which begins where it begins
 * @param {{current: ((key: string) => void) | null}} props.reveal  gets a function that brings a row in sight
 */
export function Windowed({ items, row, guess, label, wanted, reveal }) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const heights = useRef(/** @type {Map<string, number>} */ (new Map()));
  const anchor = useRef(/** @type {{key: string, top: number} | null} */ (null));
  const asked = useRef(wanted);
  const measured = useRef(0);
  const [, drawAgain] = useState(0);
  const [view, setView] = useState({ top: 0, height: window.innerHeight });
  // Of a new list only what is in sight, and what is there already: the rows around it come when that is on the screen.
  const [seen, setSeen] = useState(/** @type {T[] | null} */ (null));
  const drawn = useRef(/** @type {Set<string>} */ (new Set()));
  useEffect(() => afterPaint(() => setSeen(items)), [items]);

  /** @param {any} item */
  const heightOf = (item) => heights.current.get(item.key) ?? guess(item);
  const measure = () => {
    const made = new Float64Array(items.length + 1);
    for (let i = 0; i < items.length; i += 1) made[i + 1] = made[i] + heightOf(items[i]);
    return made;
  };
  const offsets = useMemo(measure, [items, measured.current]);
  /** Seldom asked for. @param {string} key */
  const placeOf = (key) => items.findIndex((item) => /** @type {any} */ (item).key === key);

  let first = Math.max(0, find(offsets, view.top - 300));
  let last = Math.min(items.length, find(offsets, view.top + view.height + 600) + 1);
  if (seen !== items) {
    const isThere = (/** @type {number} */ i) => drawn.current.has(/** @type {any} */ (items[i]).key);
    const [top, bottom] = [find(offsets, view.top), Math.min(items.length, find(offsets, view.top + view.height) + 1)];
    while (first < top && !isThere(first)) first += 1;
    while (last > bottom && !isThere(last - 1)) last -= 1;
  }

  useEffect(() => {
    const look = () => {
      const top = list.current ? -list.current.getBoundingClientRect().top : 0;
      setView((old) => (Math.abs(old.top - top) < 60 && old.height === window.innerHeight
        ? old : { top, height: window.innerHeight }));
    };
    look();
    window.addEventListener("scroll", look, { passive: true });
    window.addEventListener("resize", look);
    return () => {
      window.removeEventListener("scroll", look);
      window.removeEventListener("resize", look);
    };
  }, []);

  // Before the change: which row is the first in sight, and where.
  if (list.current) {
    anchor.current = null;
    const box = list.current;
    // What somebody points at stays under the pointer, so that a press meets what was meant.
    const pointed = asked.current === wanted ? /** @type {HTMLElement | null} */ (box.querySelector("[data-row]:hover")) : null;
    asked.current = wanted;
    if (pointed) {
      anchor.current = { key: pointed.dataset.row ?? "", top: pointed.getBoundingClientRect().top };
    } else if (box.getBoundingClientRect().top < 0) {
      for (const element of box.querySelectorAll("[data-row]")) {
        const { bottom, top } = element.getBoundingClientRect();
        if (bottom > 60) {
          anchor.current = { key: /** @type {HTMLElement} */ (element).dataset.row ?? "", top };
          break;
        }
      }
    }
  }

  useLayoutEffect(() => {
    const box = list.current;
    if (!box) return;
    let changed = false;
    let end = 0;
    let at = first; // The rows that are drawn are these, in this order.
    for (const element of box.querySelectorAll("[data-row]")) {
      const { bottom, height } = element.getBoundingClientRect();
      end = bottom;
      const item = /** @type {any} */ (items[at++]);
      if (item && Math.abs(heightOf(item) - height) > 0.5) {
        heights.current.set(item.key, height);
        changed = true;
      }
    }
    const before = anchor.current;
    const index = before ? placeOf(before.key) : -1;
    if (before && index >= 0) {
      const there = rowOf(box, before.key);
      const now = there ? there.getBoundingClientRect().top : box.getBoundingClientRect().top + offsets[index];
      if (Math.abs(now - before.top) > 1) window.scrollBy({ top: now - before.top, behavior: "instant" });
    }
    if (!changed) return;
    measured.current += 1;
    // The space above and below is of rows that are not drawn: only a gap in sight asks for more rows at once.
    if (end < window.innerHeight && last < items.length) drawAgain((n) => n + 1);
  });

  reveal.current = (key) => {
    const index = placeOf(key);
    if (index < 0 || !list.current) return;
    const there = rowOf(list.current, key);
    const top = there ? there.getBoundingClientRect().top : list.current.getBoundingClientRect().top + measure()[index];
    const bottom = top + heightOf(items[index]);
    if (top < 120) window.scrollBy({ top: top - 120, behavior: "instant" });
    else if (bottom > window.innerHeight - 80) {
      window.scrollBy({ top: bottom - window.innerHeight + 80, behavior: "instant" });
    }
    const box = list.current;
    const before = document.activeElement;
    setView({ top: -box.getBoundingClientRect().top, height: window.innerHeight });
    requestAnimationFrame(() => {
      const now = document.activeElement;
      if (now !== before && now !== document.body && !box.contains(now)) return; // Somebody has gone on meanwhile.
      if (document.querySelector("dialog[open]")) return;
      /** @type {HTMLElement | null | undefined} */ (rowOf(box, key)?.querySelector("[tabindex]"))?.focus({ preventScroll: true });
    });
  };

  const shown = [];
  drawn.current = new Set();
  for (let i = first; i < last; i += 1) {
    const item = /** @type {any} */ (items[i]);
    drawn.current.add(item.key);
    shown.push(html`<div key=${item.key} data-row=${item.key} role="listitem" aria-setsize=${items.length} aria-posinset=${i + 1}>${row(item)}</div>`);
  }
  return html`<div ref=${list} class="windowed" role="list" aria-label=${label}
    style=${{ paddingTop: `${offsets[first]}px`, paddingBottom: `${offsets[items.length] - offsets[last]}px` }}>${shown}</div>`;
}

/** @param {HTMLElement} box @param {string} key @returns {HTMLElement | undefined} */
function rowOf(box, key) {
  const all = /** @type {NodeListOf<HTMLElement>} */ (box.querySelectorAll("[data-row]"));
  return [...all].find((one) => one.dataset.row === key);
}

/** The last index whose offset is not past `at`. @param {Float64Array} offsets @param {number} at */
function find(offsets, at) {
  let low = 0;
  let high = offsets.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (offsets[middle] <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}
