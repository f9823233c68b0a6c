"""``config diff``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tocsin.alerting.alert import Alert
from tocsin.alerting.duration import format_duration
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, MatchType
from tocsin.alerting.outlook import NamedSilence, Outlook, Outlooks
from tocsin.cli.asking import ask, harmless, say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import EXISTING_FILE, SWITCH, Argument, Command, Flag
from tocsin.cli.commandline.run import CommandError
from tocsin.client.answers import Json
from tocsin.client.formats import to_json
from tocsin.client.terminal import Terminal
from tocsin.dataclass import dataclass

if TYPE_CHECKING:
    from tocsin.alerting.route import RouteOptions


@dataclass(frozen=True, slots=True)
class Change:
    """The outlook of one alert before and after, in lines; equal ones are no change."""

    labels: Labels
    old: tuple[str, ...]
    new: tuple[str, ...]


def run(invocation: Invocation) -> int:
    """Compare two configurations by what happens to the alerts that fire now."""
    from tocsin.cli.routing import load_configuration

    old, new = (load_configuration(invocation, file) for file in _files(invocation))
    alerts, silences = _state(invocation)
    now = time.time_ns()
    before, after = Outlooks(old, alerts, silences), Outlooks(new, alerts, silences)
    changes = [
        change
        for alert in sorted(alerts, key=lambda one: one.labels)
        if (change := _compare(alert.labels, before, after, now)) is not None
    ]
    if invocation.output == "json":
        say(to_json([{"labels": dict(c.labels), "old": c.old, "new": c.new} for c in changes]))
    else:
        _print(changes, len(alerts))
    return 1 if changes and invocation.on("exit-code") else 0


def _files(invocation: Invocation) -> tuple[str, str]:
    """OLD and NEW; with one file, the node's configuration is the old one."""
    files = invocation.arguments
    return ("", files[0]) if len(files) == 1 else (files[0], files[1])


def _state(invocation: Invocation) -> tuple[list[Alert], list[NamedSilence]]:
    file = invocation.text("alerts")
    if file:
        return [_alert(one) for one in _read(file)], []
    api = ask(invocation)
    alerts = api.alerts(active=True, inhibited=True, silenced=True, unprocessed=True)
    silences = [one for one in api.silences() if one["status"]["state"] == "active"]
    return [_alert(one) for one in alerts], [_silence(one) for one in silences]


def _read(file: str) -> list[Json]:
    import json
    from pathlib import Path

    try:
        found = json.loads(Path(file).read_bytes())
    except (OSError, ValueError) as error:
        raise CommandError(f"{file}: {error}") from None
    if not isinstance(found, list) or not all(
        isinstance(one, dict) and isinstance(one.get("labels"), dict) for one in found
    ):
        raise CommandError(f"{file}: expected a list of alerts, as alert query -o json prints it")
    return found


def _alert(one: Json) -> Alert:
    labels = Labels({str(name): str(value) for name, value in one["labels"].items()})
    return Alert(labels=labels, annotations=Labels(), starts_at=1, ends_at=0, updated_at=1)


def _silence(one: Json) -> NamedSilence:
    matchers = tuple(
        Matcher(
            MatchType.of(is_regex=each["isRegex"], is_equal=each.get("isEqual", True)),
            each["name"],
            each["value"],
        )
        for each in one["matchers"]
    )
    return NamedSilence(one["id"], matchers)


def _compare(labels: Labels, before: Outlooks, after: Outlooks, now: int) -> Change | None:
    old, new = _lines(before.of(labels, now)), _lines(after.of(labels, now))
    return None if old == new else Change(labels, old, new)


def _lines(outlook: Outlook) -> tuple[str, ...]:
    """A line for each receiver."""
    return tuple(
        f"{each.receiver} in the group {each.group} {_timings(each.route.options)}"
        + (f", {muted}" if (muted := outlook.muted(each)) else "")
        for each in outlook.destinations
    )


def _timings(options: RouteOptions) -> str:
    spans = (options.group_wait, options.group_interval, options.repeat_interval)
    return "/".join(format_duration(span) for span in spans)


def _print(changes: Sequence[Change], count: int) -> None:
    terminal = Terminal()
    for change in changes:
        print(terminal.mark(harmless(str(change.labels)), "strong"))
        for line in change.old:
            if line not in change.new:
                print(terminal.mark(f"  - {harmless(line)}", "bad"))
        for line in change.new:
            if line not in change.old:
                print(terminal.mark(f"  + {harmless(line)}", "good"))
        if sorted(change.old) == sorted(change.new):
            print("  the order of the receivers")
    print(f"{len(changes)} of {count} alerts change")


COMMAND: Final = Command(
    run,
    flags=(
        Flag(
            "alerts", "JSON of alerts, as alert query -o json prints it; the node is not asked", EXISTING_FILE
        ),
        Flag("exit-code", "Exit status 1 if something changes", SWITCH),
    ),
    arguments=(
        Argument(
            "files", "OLD and NEW, or NEW alone: then OLD is the node's", EXISTING_FILE, least=1, most=2
        ),
    ),
    description="""\
Says of the alerts that fire now which receivers they go to, in which groups, with which group_wait,
group_interval and repeat_interval, and what mutes them: by the one configuration and by the other. Silences
are those of the node.""",
)
