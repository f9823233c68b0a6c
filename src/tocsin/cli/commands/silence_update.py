"""``silence update``."""

from __future__ import annotations

from typing import Any, Final

from tocsin.cli.asking import ask, say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import SWITCH, Argument, Command, Flag
from tocsin.cli.commandline.run import CommandError
from tocsin.cli.silencing import span
from tocsin.client import dates, formats


def run(invocation: Invocation) -> int:
    """Change silences, and print them as they were changed."""
    if not invocation.arguments:
        raise CommandError("no silence IDs specified")
    api = ask(invocation)
    updated = []
    for identifier in invocation.arguments:
        silence = api.silence(identifier)
        _change(silence, invocation)
        sent = {name: value for name, value in silence.items() if name not in ("status", "updatedAt")}
        silence["id"] = api.post_silence(sent)
        updated.append(silence)
    if invocation.on("quiet"):
        say("".join(f"{one['id']}\n" for one in updated))
    else:
        say(formats.silences(updated, invocation.output, invocation.text("date.format")))
    return 0


def _change(silence: dict[str, Any], invocation: Invocation) -> None:
    start, end, duration = (invocation.text(name) for name in ("start", "end", "duration"))
    try:
        if start:
            silence["startsAt"] = dates.written(dates.parse(start))
        if end:
            silence["endsAt"] = dates.written(dates.parse(end))
        elif duration:
            silence["endsAt"] = dates.written(dates.after(dates.read(silence["startsAt"]), span(duration)))
    except ValueError as error:
        raise CommandError(str(error)) from None
    if dates.read(silence["startsAt"]) > dates.read(silence["endsAt"]):
        raise CommandError("silence cannot start after it ends")
    if invocation.text("comment"):
        silence["comment"] = invocation.text("comment")


COMMAND: Final = Command(
    run,
    flags=(
        Flag("quiet", "Print ids only", SWITCH, short="q"),
        Flag("duration", "How long it lasts, from its start on", short="d", value="DURATION"),
        Flag("start", "When it starts; RFC 3339, as 2006-01-02T15:04:05-07:00", value="TIME"),
        Flag("end", "When it ends; RFC 3339; it counts before --duration", value="TIME"),
        Flag("comment", "The new comment", short="c"),
    ),
    arguments=(Argument("update-ids", "Ids of the silences to change"),),
)
