"""``explain``."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

from tocsin.cli.asking import ask, moment, say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import EXISTING_FILE, SWITCH, Argument, Command, Flag
from tocsin.cli.commandline.run import CommandError
from tocsin.cli.matching import Words
from tocsin.client.formats import to_json

if TYPE_CHECKING:
    from tocsin.models.explain import Explanation

_FINGERPRINT: Final = re.compile("[0-9a-f]{16}")
_LIVE: Final = ("receiver", "group", "since", "until", "limit", "no-peers")


def run(invocation: Invocation) -> int:
    """Print the story of the alerts that are meant. Exit status 1 if a node that was asked did not answer."""
    if invocation.text("config.file"):
        return _ahead(invocation)
    if invocation.given("at"):
        raise CommandError("--at is for --config.file; a node explains the present, and --since and --until")
    from tocsin.client.tocsin import as_json, get
    from tocsin.models.explain import Explanation

    query = [
        (name, moment(name, invocation.text(name)) if name in ("since", "until") else invocation.text(name))
        for name in _LIVE[:-1]
        if invocation.text(name)
    ]
    if invocation.on("no-peers"):
        query.append(("peers", "false"))
    found = get(ask(invocation), "/explain", Explanation, query + _alert(invocation))
    if invocation.output == "json":
        say(to_json(as_json(found)))
    else:
        say(_text(found))
    return 1 if any(each.answer == "no answer" for each in found.nodes) else 0


def _alert(invocation: Invocation) -> list[tuple[str, str]]:
    words = list(invocation.arguments)
    if len(words) == 1 and _FINGERPRINT.fullmatch(words[0]):
        return [("fingerprint", words[0])]
    read = Words(invocation)
    return [("filter", str(read.matcher(each))) for each in read.with_name(words)]


def _text(found: Explanation) -> str:
    parts = [each.text for each in found.stories] or ["No such alert.\n"]
    if found.more:
        parts.append(f"{found.more} more alerts are meant; --limit shows more of them.\n")
    nodes = [f"  {each.node}: {each.why or each.answer}" for each in found.nodes if each.answer != "answered"]
    if nodes:
        parts.append("\n".join(["of these nodes less is known", *nodes]) + "\n")
    return "\n".join(parts)


def _ahead(invocation: Invocation) -> int:
    from tocsin.alerting.explain.ahead import explain_ahead, render_ahead
    from tocsin.alerting.labels import Labels
    from tocsin.alerting.timestamp import format_rfc3339, parse_rfc3339
    from tocsin.cli.routing import load_configuration

    for name in _LIVE:
        if invocation.given(name):
            raise CommandError(f"--{name} asks a node; with --config.file none is asked")
    words = Words(invocation)
    labels = Labels(words.label_set(words.with_name(invocation.arguments), "Labels"))
    if not labels:
        raise CommandError("name the alert by its labels")
    try:
        at = parse_rfc3339(invocation.text("at")) if invocation.text("at") else time.time_ns()
    except ValueError as error:
        raise CommandError(f"--at: {error}") from None
    ahead = explain_ahead(load_configuration(invocation, invocation.text("config.file")), labels, at)
    if invocation.output != "json":
        say(render_ahead(ahead))
        return 0
    say(
        to_json(
            {
                "labels": dict(labels),
                "at": format_rfc3339(at),
                "receivers": [
                    {
                        "receiver": each.receiver,
                        "route": each.route.id,
                        "group": dict(each.group),
                        "mutedBy": list(each.intervals),
                    }
                    for each in ahead.destinations
                ],
                "routes": [
                    {"id": each.id, "receiver": each.receiver, "taken": each.taken, "why": each.why}
                    for each in ahead.routes
                ],
                "inhibitRules": [place for place, _ in ahead.rules],
            }
        )
    )
    return 0


COMMAND: Final = Command(
    run,
    flags=(
        Flag("receiver", "Only this receiver", value="NAME", short="r"),
        Flag("group", "Only this group, by its key", value="KEY"),
        Flag("since", "Only notifications from then on: RFC 3339, or how long ago", value="TIME"),
        Flag("until", "Only notifications until then: RFC 3339, or how long ago", value="TIME"),
        Flag("limit", "Alerts that are explained at most", default="5", value="N"),
        Flag("no-peers", "Ask the one node alone", SWITCH),
        Flag(
            "config.file",
            "What this file would do with the alert; no node is asked",
            EXISTING_FILE,
            value="FILE",
        ),
        Flag("at", "With --config.file: if it fires at this time, instead of now", value="TIME"),
    ),
    arguments=(Argument("alert", "Matchers, or a fingerprint", least=1),),
    description="""\
The alert is named by its fingerprint or by matchers; a first word that is not a matcher is the value of
alertname:

    explain DiskFull instance=db-1
    explain 4fa11b8f3f2a9c01 --receiver=pager
    explain --config.file=alertmanager.yml alertname=DiskFull severity=page --at=2026-12-24T20:00:00Z

The node asks the other Tocsin nodes; of Alertmanagers only the notification log is known. Each line has the
node in brackets that notified, or decided not to. docs/explain.md shows examples of its output.""",
)
