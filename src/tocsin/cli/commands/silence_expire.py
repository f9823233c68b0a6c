"""``silence expire``."""

from __future__ import annotations

from typing import Final

from tocsin.cli.asking import ask
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import Argument, Command
from tocsin.cli.commandline.run import CommandError


def run(invocation: Invocation) -> int:
    """End silences, one after another, up to the first that cannot be ended."""
    if not invocation.arguments:
        raise CommandError("no silence IDs specified")
    api = ask(invocation)
    for identifier in invocation.arguments:
        api.expire(identifier)
    return 0


COMMAND: Final = Command(run, arguments=(Argument("silence-ids", "Ids of the silences to end"),))
