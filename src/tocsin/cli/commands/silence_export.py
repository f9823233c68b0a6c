"""``silence export``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tocsin.cli.asking import ask, say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import FILE, SWITCH, Argument, Command, Flag
from tocsin.cli.commandline.run import CommandError
from tocsin.cli.matching import Words
from tocsin.client import formats


def run(invocation: Invocation) -> int:
    """Write silences as JSON, as ``silence import`` reads them."""
    words = invocation.arguments
    filters = Words(invocation).with_name(words) if words else []
    found = [
        one
        for one in ask(invocation).silences(filters)
        if invocation.on("expired") or one["status"]["state"] != "expired"
    ]
    text = formats.silences(found, "json", "")
    file = invocation.text("file")
    if not file:
        say(text)
        return 0
    try:
        Path(file).write_text(text, "utf-8")
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror or error}") from None
    print(f"{file}: {len(found)} silences")
    return 0


COMMAND: Final = Command(
    run,
    flags=(
        Flag("file", "Where to write (default: standard output)", FILE, short="f"),
        Flag("expired", "Expired ones too", SWITCH),
    ),
    arguments=(Argument("matcher-groups", "Matchers that the silences must have"),),
)
