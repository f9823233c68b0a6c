"""``tocsin``: the daemon."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tocsin.node import garbage


def main(argv: Sequence[str] | None = None) -> int:
    """Run until asked to stop. Exit status: 0, or 1 for what cannot be used or started, as Alertmanager's."""
    garbage.set_up()
    garbage.hold_back()
    # Imported after garbage collection is off: collecting all that is loaded takes a tenth of a start.
    from tocsin.cli.running import run

    return run(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
