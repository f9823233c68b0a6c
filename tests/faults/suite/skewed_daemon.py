"""The Tocsin daemon with a clock that is wrong: ``python -m tests.faults.suite.skewed_daemon FILE FLAGS...``.

FILE holds by how many seconds, and can be written anew while the node runs. Only the wall clock is wrong; the
monotonic one cannot be.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

_time, _time_ns = time.time, time.time_ns
offset_ns = 0


def _follow(path: Path) -> None:
    global offset_ns
    while True:
        try:
            offset_ns = int(float(path.read_text()) * 1e9)
        except (OSError, ValueError):
            pass  # being written
        time.sleep(0.1)


if __name__ == "__main__":
    file = Path(sys.argv[1])
    offset_ns = int(float(file.read_text()) * 1e9)
    time.time = lambda: _time() + offset_ns / 1e9
    time.time_ns = lambda: _time_ns() + offset_ns
    threading.Thread(target=_follow, args=(file,), daemon=True).start()

    from tocsin.cli.daemon import main

    sys.exit(main(sys.argv[2:]))
