"""``check-config``."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, Final

from tocsin.cli.asking import say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import EXISTING_FILE, Argument, Command
from tocsin.cli.commandline.run import CommandError
from tocsin.client.formats import to_json
from tocsin.errors import ConfigError

if TYPE_CHECKING:
    from tocsin.node.config.alertmanager import AlertmanagerConfig

_STDIN: Final = "/dev/stdin"


def run(invocation: Invocation) -> int:
    """Check files, and print what is in them. Exit status 1 if one cannot be used."""
    files = invocation.arguments
    if not files:
        if stat.S_ISCHR(os.fstat(0).st_mode):
            raise CommandError("Failed to read from standard input")
        files = (_STDIN,)
    if invocation.output == "json" and not invocation.program.as_amtool:
        found = [_checked(invocation, file) for file in files]
        say(to_json(found))
        return 1 if any(one["problem"] for one in found) else 0
    failed = sum(not _check(invocation, file) for file in files)
    if failed:
        raise CommandError(f"failed to validate {failed} file(s)")
    return 0


def _load(invocation: Invocation, file: str) -> AlertmanagerConfig:
    from tocsin.cli.matching import parser_mode
    from tocsin.config.matchersyntax import MatcherSyntax
    from tocsin.node.config import load_config

    return load_config(file, MatcherSyntax(parser_mode(invocation)), accept_unserved=True)


def _checked(invocation: Invocation, file: str) -> dict[str, object]:
    try:
        return {"file": file, "problem": "", "warnings": list(_load(invocation, file).warnings)}
    except ConfigError as error:
        return {"file": file, "problem": str(error), "warnings": []}


def _check(invocation: Invocation, file: str) -> bool:
    say(f"Checking '{file}'")
    try:
        config = _load(invocation, file)
    except ConfigError as error:
        say(f"  FAILED: {error}\n\n")
        return False
    lines = ["  SUCCESS", "Found:", *_found(config), ""]
    say("\n".join([*lines, ""]))
    for warning in config.warnings:
        print(f"{invocation.program.name}: warning: {warning}", file=sys.stderr)
    return True


def _found(config: AlertmanagerConfig) -> list[str]:
    counts = (
        (len(config.inhibit_rules), "inhibit rules"),
        (len(config.receivers), "receivers"),
        (len(config.templates), "templates"),
    )
    lines = [" - global config", " - route", *(f" - {count} {what}" for count, what in counts)]
    return [*lines, "  SUCCESS"] if config.templates else lines


COMMAND: Final = Command(
    run,
    arguments=(Argument("check-files", "Files to check (default: standard input)", EXISTING_FILE),),
    description="""\
Reads each file as a node does, with its templates, and names the location of what is wrong. What Alertmanager
takes and this version does not do is a warning. tocsinctl lint finds what is valid and still not
meant.""",
)
