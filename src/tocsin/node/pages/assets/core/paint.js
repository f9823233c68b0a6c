// What can wait until a person sees something.

/** Do `work` once the picture that is being made is on the screen. @param {() => void} work @returns {() => void} calls it off */
export function afterPaint(work) {
  let timer = 0;
  const frame = requestAnimationFrame(() => {
    timer = window.setTimeout(work);
  });
  return () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
}
