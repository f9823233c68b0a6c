"""``cluster show``."""

from __future__ import annotations

from typing import Final

from tocsin.cli.asking import ask, say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import Command
from tocsin.client import formats


def run(invocation: Invocation) -> int:
    """Print the cluster's status; ``-o extended``: with its members."""
    say(formats.cluster(ask(invocation).status()["cluster"], invocation.output))
    return 0


COMMAND: Final = Command(run)
