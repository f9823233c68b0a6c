"""``amtool``: the 13 commands of amtool 0.33.1, with its options, output and exit status.

Run as ``tocsin-amtool``, as ``tocsinctl amtool``, or by any link to ``tocsinctl`` that is named ``amtool``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tocsin import ALERTMANAGER_VERSION, __version__
from tocsin.cli.commandline.model import Program
from tocsin.cli.commandline.run import run
from tocsin.cli.commands.registry import ENTRIES, GROUPS, flags

VERSION = f"amtool, version {ALERTMANAGER_VERSION} (branch: tocsin, revision: {__version__})"


def program() -> Program:
    """The command line."""
    return Program(
        name="amtool",
        help="Ask and change Alertmanagers: alerts, silences, configuration.\n\n"
        "Flags may have defaults in $HOME/.config/amtool/config.yml and /etc/amtool/config.yml (Debian:"
        " $HOME/.config/prometheus/amtool.yml and /etc/prometheus/amtool.yml), YAML with the flags' names.",
        flags=flags(version_check=True),
        entries=tuple(entry for entry in ENTRIES if entry.amtool),
        groups=GROUPS,
        version=VERSION,
        usage_status=1,
        as_amtool=True,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    return run(program(), sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
