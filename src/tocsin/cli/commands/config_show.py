"""``config show``."""

from __future__ import annotations

from typing import Final

from tocsin.cli.asking import ask, say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import Command
from tocsin.client import formats


def run(invocation: Invocation) -> int:
    """Print the configuration that the node runs with."""
    say(formats.configuration(ask(invocation).status(), invocation.output))
    return 0


COMMAND: Final = Command(
    run,
    description="-o extended adds versions and the time of the start, -o json prints the whole status.",
)
