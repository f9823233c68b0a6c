"""``silence show``."""

from __future__ import annotations

from typing import Final

from tocsin.cli.asking import ask, say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import Argument, Command
from tocsin.client import dates, formats
from tocsin.client.answers import Json
from tocsin.client.terminal import Terminal


def run(invocation: Invocation) -> int:
    """Print silences in full, with the alerts that each of them silences now."""
    api, terminal = ask(invocation), Terminal()
    alerts = api.alerts(active=False, silenced=True, inhibited=True)
    found = [api.silence(identifier) for identifier in invocation.arguments]
    held = {one["id"]: [a for a in alerts if one["id"] in a["status"]["silencedBy"]] for one in found}
    if invocation.output == "json":
        say(formats.to_json([{**one, "alerts": held[one["id"]]} for one in found]))
        return 0
    for number, silence in enumerate(found):
        if number:
            print()
        _print(terminal, silence, held[silence["id"]], invocation.text("date.format"))
    return 0


def _print(terminal: Terminal, silence: Json, alerts: list[Json], layout: str) -> None:
    state = silence["status"]["state"]
    how = {"active": "good", "pending": "doubtful"}.get(state, "faint")
    print(f"{terminal.mark(silence['id'], 'strong')}  {terminal.mark(state, how)}")
    lines = [
        ("matchers", "  ".join(formats.matchers(silence))),
        ("starts", dates.shown(silence["startsAt"], layout)),
        ("ends", dates.shown(silence["endsAt"], layout)),
        ("updated", dates.shown(silence["updatedAt"], layout)),
        ("by", silence["createdBy"]),
        ("comment", silence["comment"]),
        *(("annotation", f"{name}={value}") for name, value in (silence.get("annotations") or {}).items()),
        ("silences now", f"{len(alerts)} alerts"),
        *(("", formats.pairs(alert["labels"])) for alert in alerts),
    ]
    for name, text in lines:
        say(f"  {name:<13} {text}\n")


COMMAND: Final = Command(run, arguments=(Argument("silence-ids", "Ids of the silences", least=1),))
