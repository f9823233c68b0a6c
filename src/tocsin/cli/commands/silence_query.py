"""``silence query``."""

from __future__ import annotations

from typing import Final

from tocsin.cli.asking import ask, say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import DURATION, SWITCH, Argument, Command, Flag
from tocsin.client import dates, formats
from tocsin.client.formats import Json


def run(invocation: Invocation) -> int:
    """Print the silences that are asked for."""
    filters = list(invocation.arguments)
    if filters:
        from tocsin.cli.matching import Words

        filters = Words(invocation).with_name(filters)
    shown = [one for one in ask(invocation).silences(filters) if _is_wanted(one, invocation)]
    if invocation.on("quiet"):
        say("".join(f"{one['id']}\n" for one in shown))
    else:
        say(formats.silences(shown, invocation.output, invocation.text("date.format")))
    return 0


def _is_wanted(silence: Json, invocation: Invocation) -> bool:
    ends, now = dates.read(silence["endsAt"]), dates.now()
    within = invocation.number("within")
    if invocation.on("expired"):
        if ends > now or (within > 0 and ends < dates.after(now, -within)):
            return False
    elif ends < now or (within > 0 and ends > dates.after(now, within)):
        return False
    author, identifier = invocation.text("created-by"), invocation.text("id")
    return author in ("", silence["createdBy"]) and identifier in ("", silence["id"])


COMMAND: Final = Command(
    run,
    flags=(
        Flag("expired", "Show expired silences instead of those that are not", SWITCH),
        Flag("quiet", "Print ids only", SWITCH, short="q"),
        Flag("created-by", "Show silences of this author"),
        Flag("id", "Show the silence with this id"),
        Flag("within", "Show those that end, or with --expired ended, within this time", DURATION),
    ),
    arguments=(Argument("matcher-groups", "Matchers that the silences must have"),),
    description="""\
Matchers are written as for alert query. Silences that end within the next eight hours, and those that ended
within the last two:

    silence query --within 8h
    silence query --within 2h --expired""",
)
