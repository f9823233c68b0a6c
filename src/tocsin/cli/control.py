"""``tocsinctl``: the tool beside the daemon. Each group of commands is a module of this package.

Exit status: 0 done, 1 it could not be done (one line on standard error says why), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from tocsin import __version__
from tocsin.cli import certificates, cluster, keyring, receiver, storage, template
from tocsin.errors import TocsinError
from tocsin.text import plain


def build_parser() -> argparse.ArgumentParser:
    """The whole command line. Each command sets ``run``: a function of the parsed arguments."""
    parser = argparse.ArgumentParser(
        prog="tocsinctl", description="Care for a Tocsin cluster.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"tocsinctl {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    certificates.add_commands(commands)
    cluster.add_commands(commands)
    keyring.add_commands(commands)
    receiver.add_commands(commands)
    storage.add_commands(commands)
    template.add_commands(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = build_parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return run(arguments)
    except TocsinError as error:
        print(f"tocsinctl: {plain(str(error), 4096)}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of our output went away (`| head`); what is left to flush would fail at exit too.
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
