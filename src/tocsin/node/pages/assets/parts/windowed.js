// A list of any length of which only what is in sight is drawn. What is being read does not move when the
// list changes: the first row in sight stays where it is.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../core/html.js";
import { afterPaint } from "../core/paint.js";

/**
 * @template T
 * @param {object} props
 * @param {T[]} props.items          each with a `key`
 * @param {(item: T) => any} props.row
 * @param {(item: T) => number} props.guess  its height before it was drawn once, in pixels
 * @param {string} props.label
 * @param {{current: ((key: string) => void) | null}} props.reveal  gets a function that brings a row in sight
 */
export function Windowed({ items, row, guess, label, reveal }) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const heights = useRef(/** @type {Map<string, number>} */ (new Map()));
  const anchor = useRef(/** @type {{key: string, top: number} | null} */ (null));
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
  const places = useMemo(() => new Map(items.map((item, i) => [/** @type {any} */ (item).key, i])), [items]);

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
    if (box.getBoundingClientRect().top < 0) {
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
    for (const element of box.querySelectorAll("[data-row]")) {
      const key = /** @type {HTMLElement} */ (element).dataset.row ?? "";
      const { bottom, height } = element.getBoundingClientRect();
      end = bottom;
      const item = items[places.get(key) ?? -1];
      if (item && Math.abs(heightOf(item) - height) > 0.5) {
        heights.current.set(key, height);
        changed = true;
      }
    }
    const before = anchor.current;
    const index = before ? places.get(before.key) : undefined;
    if (before && index !== undefined) {
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
    const index = places.get(key);
    if (index === undefined || !list.current) return;
    const there = rowOf(list.current, key);
    const top = there ? there.getBoundingClientRect().top : list.current.getBoundingClientRect().top + measure()[index];
    const bottom = top + heightOf(items[index]);
    if (top < 120) window.scrollBy({ top: top - 120, behavior: "instant" });
    else if (bottom > window.innerHeight - 80) {
      window.scrollBy({ top: bottom - window.innerHeight + 80, behavior: "instant" });
    }
    const box = list.current;
    setView({ top: -box.getBoundingClientRect().top, height: window.innerHeight });
    requestAnimationFrame(() => {
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
