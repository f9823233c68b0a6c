"""``tocsinctl``: the tool beside the daemon. ``commands/registry.py`` lists its commands.

Exit status: 0 done, 1 it could not be done (one line on standard error says why), 2 wrong usage.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tocsin import __version__
from tocsin.cli.commandline.model import Program
from tocsin.cli.commandline.run import run
from tocsin.cli.commands.registry import ENTRIES, GROUPS, flags

AMTOOL = "amtool"


def program() -> Program:
    """The command line."""
    return Program(
        name="tocsinctl",
        help="Ask and change a running cluster, of Tocsin nodes or Alertmanagers; check configurations; care"
        " for certificates and keys.\n\n"
        f"tocsinctl {AMTOOL} ... is amtool, to the byte. Flags may have defaults in"
        " $HOME/.config/amtool/config.yml and /etc/amtool/config.yml, YAML with the flags' names.",
        flags=flags(version_check=False),
        entries=ENTRIES,
        groups=GROUPS,
        version=f"tocsinctl {__version__}",
        usage_status=2,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. A link to this that is named ``amtool`` is amtool."""
    words = list(sys.argv[1:] if argv is None else argv)
    named = argv is None and Path(sys.argv[0]).name == AMTOOL
    if named or words[:1] == [AMTOOL]:
        from tocsin.cli import amtool

        return amtool.main(words if named else words[1:])
    return run(program(), words)


if __name__ == "__main__":
    sys.exit(main())
