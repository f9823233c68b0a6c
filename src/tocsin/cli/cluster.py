"""``tocsinctl cluster tls-check``: checks the cluster port of a node from outside."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Final

from tocsin.cli.asking import say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import FILE, SECONDS, Argument, Command, Flag
from tocsin.client.formats import to_json
from tocsin.client.tlscheck import check
from tocsin.node.config.commandline import split_host_port


def run_tls_check(invocation: Invocation) -> int:
    """``tocsinctl cluster tls-check``. Exit status 1 when something fails."""
    host, port = split_host_port("HOST:PORT", invocation.arguments[0])
    report = check(
        host,
        port,
        invocation.path_of("tls-config"),
        timeout=invocation.value("timeout", float),
        now=datetime.now(UTC),
    )
    if invocation.output == "json":
        say(to_json({"place": report.place, "found": dict(report.lines), "problems": report.problems}))
        return 1 if report.problems else 0
    print(report)
    if report.problems:
        print(f"tocsinctl: {len(report.problems)} problem(s)", file=sys.stderr)
    return 1 if report.problems else 0


TLS_CHECK: Final = Command(
    run_tls_check,
    flags=(
        Flag("tls-config", "A node's --cluster.tls-config file (default: none)", FILE, value="FILE"),
        Flag("timeout", "Seconds for each step", SECONDS, default="5"),
    ),
    arguments=(Argument("host:port", "The node's --cluster.listen-address", least=1, most=1),),
    description="Shakes hands with the cluster port of a node, as a peer would, and shows what it offers,"
    " which certificate it shows, what fails and how to fix it. With --tls-config the handshake is made with"
    " that file's certificate, CA and rules, as the node would that the file belongs to.",
)
