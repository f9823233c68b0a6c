// What somebody is at stays as it is when the page is drawn anew.

/**
 * Change what is shown, and give back the focus and the selected text if that took them: a browser forgets both of an
 * element that gets another place, as a row does when an alert before it has ended.
 * @param {() => void} change
 * @param {HTMLElement | null} [list]  of which what is pointed at, focused, or else first in sight, stays where it is
 */
export function keepingPlace(change, list = null) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  const selection = getSelection();
  const { anchorNode, anchorOffset, focusNode, focusOffset } = selection ?? {};
  const text = selection?.isCollapsed === false ? selection.toString() : "";
  const still = list && anchorOf(list);
  const top = still?.getBoundingClientRect().top ?? 0;
  change();
  // Preact draws in a microtask that the change has put before this one.
  queueMicrotask(() => {
    if (still?.isConnected) {
      const moved = still.getBoundingClientRect().top - top;
      if (Math.abs(moved) > 1) window.scrollBy({ top: moved, behavior: "instant" });
    }
    if (focused && focused !== document.activeElement && focused.isConnected && isNowhere()) {
      focused.focus({ preventScroll: true });
    }
    if (!text || !selection || selection.toString() === text || !anchorNode?.isConnected || !focusNode?.isConnected) return;
    try {
      selection.setBaseAndExtent(anchorNode, anchorOffset ?? 0, focusNode, focusOffset ?? 0);
    } catch {
      // The text has become shorter than what was selected of it.
    }
  });
}

/** The row that somebody is at; nothing if the list is seen from its beginning. @param {HTMLElement} list @returns {Element | null} */
function anchorOf(list) {
  const rows = [...list.children];
  const selection = getSelection();
  const at = rows.find((row) => row.matches(":hover, :focus-within") || (selection?.isCollapsed === false && selection.containsNode(row, true)));
  if (at) return at;
  return list.getBoundingClientRect().top < 0 ? (rows.find((row) => row.getBoundingClientRect().bottom > 60) ?? null) : null;
}

const isNowhere = () => !document.activeElement || document.activeElement === document.body;
