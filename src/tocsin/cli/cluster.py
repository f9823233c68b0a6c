"""``tocsinctl cluster``: looks at a running cluster from outside. ``_COMMANDS`` lists its commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tocsin.client.tlscheck import check
from tocsin.node.config.commandline import split_host_port

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_commands(commands: Subparsers) -> None:
    """Add ``cluster`` and its own commands to ``tocsinctl``."""
    cluster = commands.add_parser("cluster", help="look at a running cluster", allow_abbrev=False)
    verbs = cluster.add_subparsers(metavar="COMMAND", required=True)
    for add in _COMMANDS:
        add(verbs)


def _add_tls_check(verbs: Subparsers) -> None:
    command = verbs.add_parser(
        "tls-check",
        help="what a node offers for TLS, and what would fail",
        description="Shake hands with the cluster port of a node, as a peer would, and tell what it offers,"
        " which certificate it shows, what fails and how to mend it. With --tls-config the handshake is made"
        " with that file's certificate, CA and rules, as the node would that the file belongs to.",
        allow_abbrev=False,
    )
    command.add_argument("place", metavar="HOST:PORT", help="the node's --cluster.listen-address")
    command.add_argument(
        "--tls-config", metavar="FILE", type=Path, help="a node's --cluster.tls-config file (default: none)"
    )
    command.add_argument(
        "--timeout", metavar="SECONDS", type=float, default=5.0, help="for each step (default: %(default)s)"
    )
    command.set_defaults(run=run_tls_check)


def run_tls_check(arguments: argparse.Namespace) -> int:
    """``tocsinctl cluster tls-check``. Exit status 1 when something fails."""
    host, port = split_host_port("HOST:PORT", arguments.place)
    report = check(host, port, arguments.tls_config, timeout=arguments.timeout, now=datetime.now(UTC))
    print(report)
    if report.problems:
        print(f"tocsinctl: {len(report.problems)} problem(s)", file=sys.stderr)
    return 1 if report.problems else 0


_COMMANDS: Final[tuple[Callable[[Subparsers], None], ...]] = (_add_tls_check,)
