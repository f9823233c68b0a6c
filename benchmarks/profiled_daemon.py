"""The Tocsin daemon with a sampler in it: ``python -m benchmarks.profiled_daemon FILE FLAGS...``.

Every few milliseconds of CPU time a signal looks at the stack. It costs next to nothing, so that the node
works at its own speed; at the end the counts go to FILE as JSON. Time within a C function counts for the
Python line that called it.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from tocsin.cli.daemon import main

INTERVAL = 0.002

own: Counter[str] = Counter()
total: Counter[str] = Counter()
samples = 0


def _place(frame: FrameType) -> str:
    code = frame.f_code
    path = Path(code.co_filename)
    parts = path.parts
    for root in ("tocsin", "site-packages"):
        if root in parts:
            place = len(parts) - 1 - parts[::-1].index(root)
            parts = parts[place + (root == "site-packages") :]
            break
    else:
        parts = parts[-2:]
    return f"{'/'.join(parts)}:{code.co_qualname}"


def _look(_number: int, frame: FrameType | None) -> None:
    global samples
    samples += 1
    seen: set[str] = set()
    first = True
    while frame is not None:
        place = _place(frame)
        if first:
            own[place] += 1
            first = False
        if place not in seen:
            seen.add(place)
            total[place] += 1
        frame = frame.f_back


def _reset(_number: int, _frame: FrameType | None) -> None:
    """SIGUSR1: forget what was before; the load begins now."""
    global samples, began, used
    samples = 0
    own.clear()
    total.clear()
    began, used = time.monotonic(), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)


def _write(_number: int, _frame: FrameType | None) -> None:
    """SIGUSR2: write what was seen."""
    signal.setitimer(signal.ITIMER_PROF, 0)
    data = {
        "samples": samples,
        "cpu": (time.process_time() - used) / (time.monotonic() - began),
        "own": dict(own),
        "total": dict(total),
    }
    path = Path(output)
    path.with_suffix(".part").write_text(json.dumps(data))
    path.with_suffix(".part").rename(path)


if __name__ == "__main__":
    output = sys.argv[1]
    began, used = time.monotonic(), time.process_time()
    signal.signal(signal.SIGPROF, _look)
    signal.signal(signal.SIGUSR1, _reset)
    signal.signal(signal.SIGUSR2, _write)
    sys.exit(main(sys.argv[2:]))
