"""``lint``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from tocsin.alerting.duration import parse_duration
from tocsin.cli.asking import say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import DURATION, FILE, NUMBER, SWITCH, Argument, Command, Flag, Kind
from tocsin.client.formats import to_json
from tocsin.client.terminal import Terminal
from tocsin.errors import UserError


def run(invocation: Invocation) -> int:
    """Print findings. Exit status 1 if there is a warning, or with ``--strict`` a note."""
    from tocsin.cli.linting.findings import Context
    from tocsin.cli.linting.rules import NAMES, lint
    from tocsin.node.config import load_config

    ignored = set(invocation.texts("ignore"))
    for name in sorted(ignored.difference(NAMES)):
        raise UserError(f"--ignore={name}: there is no such rule (there are: {', '.join(NAMES)})")
    context = Context(
        invocation.number("data.retention"),
        invocation.number("cluster.peer-timeout"),
        invocation.number("nodes"),
    )
    found = [
        finding
        for file in invocation.arguments
        for finding in lint(load_config(file, accept_unserved=True), context)
    ]
    found = [finding for finding in found if finding.rule not in ignored]
    warnings = sum(finding.level == "warning" for finding in found)
    if invocation.output == "json":
        say(to_json([asdict(finding) for finding in found]))
    else:
        terminal = Terminal()
        for finding in found:
            level = terminal.mark(finding.level, "doubtful" if finding.level == "warning" else "faint")
            print(f"{finding.place}: {level}: {finding.message} ({finding.hint}) [{finding.rule}]")
        print(f"{warnings} warnings, {len(found) - warnings} notes")
    return 1 if warnings or (invocation.on("strict") and found) else 0


COMMAND: Final = Command(
    run,
    flags=(
        Flag("strict", "Fail for notes, too", SWITCH),
        Flag("ignore", "A rule whose findings are left out, by its name", many=True, value="RULE"),
        Flag(
            "data.retention",
            "The nodes' flag",
            Kind("duration", parse_duration),
            default="120h",
            value="120h",
        ),
        Flag("cluster.peer-timeout", "The nodes' flag", DURATION, default="15s"),
        Flag("nodes", "How many nodes the cluster has", NUMBER, default="3"),
    ),
    arguments=(Argument("files", "Configuration files", FILE, least=1),),
    description="""\
Finds what a configuration may say and hardly means: routes to which no alert comes, inhibition without
equal, intervals in which nodes cannot hear of each other, and more: docs/tocsinctl.md lists the rules. A file
that cannot be used at all is refused as check-config refuses it.""",
)
