"""What would become of an alert under a configuration at a time, in the form of an explanation. Nothing is
sent."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.alerting.config import AlertmanagerConfig
from tocsin.alerting.duration import format_duration
from tocsin.alerting.explain.routes import routing_steps
from tocsin.alerting.explain.story import RouteStep
from tocsin.alerting.explain.text import clock, route_lines
from tocsin.alerting.inhibit import InhibitRule
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import format_matchers, matches_all
from tocsin.alerting.outlook import Destination, Outlooks
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Ahead:
    """``rules``: those that may inhibit it, with their indexes."""

    labels: Labels
    at: Nanoseconds
    destinations: tuple[Destination, ...]
    routes: tuple[RouteStep, ...]
    rules: tuple[tuple[int, InhibitRule], ...]


def explain_ahead(config: AlertmanagerConfig, labels: Labels, at: Nanoseconds) -> Ahead:
    """What the configuration alone determines: no other alert fires, and there are no silences."""
    return Ahead(
        labels,
        at,
        Outlooks(config, ()).of(labels, at).destinations,
        tuple(routing_steps(config.route, labels)),
        tuple(
            [
                (index, rule)
                for index, rule in enumerate(config.inhibit_rules)
                if matches_all(rule.target_matchers, labels)
            ]
        ),
    )


def render_ahead(ahead: Ahead) -> str:
    """The whole text, with a line feed at its end."""
    return "".join(f"{line}\n" for line in _lines(ahead))


def _lines(ahead: Ahead) -> Iterator[str]:
    yield f"{ahead.labels}"
    yield f"  if it fires at {clock(ahead.at)}"
    for each in ahead.destinations:
        options = each.route.options
        yield ""
        if each.intervals:
            yield f"{each.receiver}: WOULD NOT BE SENT, the route is muted by {', '.join(each.intervals)}"
        else:
            wait, repeat = format_duration(options.group_wait), format_duration(options.repeat_interval)
            yield (
                f"{each.receiver}: WOULD BE SENT, {wait} after the first alert of its group, and every"
                f" {repeat} while it fires"
            )
        yield f"  group {each.group}"
        yield f"  what comes to the group later is sent within {format_duration(options.group_interval)}"
    for index, rule in ahead.rules:
        name = f" ({rule.name})" if rule.name else ""
        same = f" with the same {', '.join(sorted(rule.equal))}" if rule.equal else ""
        yield ""
        yield f"rule {index}{name} inhibits it while an alert with {format_matchers(rule.source_matchers)}"
        yield f"  fires{same}"
    yield ""
    yield from route_lines(ahead.routes)
