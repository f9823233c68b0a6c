"""``silence extend``."""

from __future__ import annotations

from typing import Final

from tocsin.cli.asking import ask, say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import Argument, Command, Flag
from tocsin.cli.commandline.run import CommandError
from tocsin.cli.silencing import span
from tocsin.client import dates, formats


def run(invocation: Invocation) -> int:
    """Move the end of silences that have not expired."""
    api = ask(invocation)
    try:
        by = span(invocation.text("duration"))
    except ValueError as error:
        raise CommandError(str(error)) from None
    extended = []
    for identifier in invocation.arguments:
        silence = api.silence(identifier)
        if silence["status"]["state"] == "expired":
            raise CommandError(f"{identifier} has expired: silence update makes a new one of it")
        silence["endsAt"] = dates.written(dates.after(dates.read(silence["endsAt"]), by))
        sent = {name: value for name, value in silence.items() if name not in ("status", "updatedAt")}
        silence["id"] = api.post_silence(sent)
        extended.append(silence)
    say(formats.silences(extended, invocation.output, invocation.text("date.format")))
    return 0


COMMAND: Final = Command(
    run,
    flags=(Flag("duration", "How much longer they last", short="d", default="1h"),),
    arguments=(Argument("silence-ids", "Ids of the silences", least=1),),
    description="The end moves; amtool's silence update --duration counts from the start instead.",
)
