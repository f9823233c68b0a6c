// A value that parts of a page look at, and are drawn anew when it changes.
import { useEffect, useState } from "../vendor/hooks.mjs";

/**
 * @template T
 * @typedef {{get(): T, set(next: T): void, watch(seen: () => void): () => void}} Store
 */

/** @template T @param {T} value @returns {Store<T>} */
export function createStore(value) {
  /** @type {Set<() => void>} */
  const watchers = new Set();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const seen of [...watchers]) seen();
    },
    watch(seen) {
      watchers.add(seen);
      return () => watchers.delete(seen);
    },
  };
}

/** @template T @param {Store<T>} store @returns {T} */
export function useStore(store) {
  const [value, put] = useState(store.get());
  useEffect(() => {
    put(store.get());
    return store.watch(() => put(() => store.get()));
  }, [store]);
  return value;
}
