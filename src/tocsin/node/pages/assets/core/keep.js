// What somebody is at stays as it is when the page is drawn anew.

/**
 * Change what is shown, and give back the focus and the selected text if that took them: a browser forgets both of an
 * element that gets another place, as a row does when an alert before it has ended.
 * @param {() => void} change
 */
export function keepingPlace(change) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  const selection = getSelection();
  const { anchorNode, anchorOffset, focusNode, focusOffset } = selection ?? {};
  const text = selection?.isCollapsed === false ? selection.toString() : "";
  change();
  // Preact draws in a microtask that the change has put before this one.
  queueMicrotask(() => {
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

const isNowhere = () => !document.activeElement || document.activeElement === document.body;
