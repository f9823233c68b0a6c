"""Rules on routes."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.alerting.matcher import Matcher, MatchType, format_matchers
from tocsin.cli.linting.findings import Context, Finding, implies, places
from tocsin.node.config.alertmanager import AlertmanagerConfig
from tocsin.node.config.routing import ALL_LABELS


def unreachable(config: AlertmanagerConfig, _context: Context) -> Iterator[Finding]:
    """An earlier route takes all that this one could, and does not go on."""
    for place in places(config):
        given = place.all_matchers
        for sibling in place.before:
            if not sibling.continue_ and all(implies(given, wanted) for wanted in sibling.matchers):
                yield Finding(
                    "warning",
                    str(place.section.mark),
                    "unreachable-route",
                    "no alert comes to this route: an earlier one,"
                    f" {format_matchers(sibling.matchers)}, takes all of them",
                    "put it before that one, or give that one continue: true",
                )
                break


def contradictory(config: AlertmanagerConfig, _context: Context) -> Iterator[Finding]:
    """No label set fulfils the conditions of a route and those above it."""
    for place in places(config):
        matchers = place.all_matchers
        for one in matchers:
            against = _contradicted(one, matchers)
            if against is not None and (one in place.route.matchers or against in place.route.matchers):
                yield Finding(
                    "warning",
                    str(place.section.mark),
                    "contradictory-route",
                    f"no alert comes to this route: {one} and {against} exclude each other",
                    "remove one of them, or move the route to where its matchers can be fulfilled",
                )
                break


def _contradicted(one: Matcher, matchers: tuple[Matcher, ...]) -> Matcher | None:
    if one.type is not MatchType.EQUAL:
        return None
    for other in matchers:
        if other.name == one.name and not other.matches(one.value):
            return other
    return None


def notified_twice(config: AlertmanagerConfig, _context: Context) -> Iterator[Finding]:
    """What an earlier route with continue sends to a receiver, this one sends to it again."""
    for place in places(config):
        given = place.all_matchers
        for sibling in place.before:
            if (
                sibling.continue_
                and not sibling.children
                and not place.route.children
                and sibling.options.receiver == place.route.options.receiver
                and all(implies(given, wanted) for wanted in sibling.matchers)
            ):
                yield Finding(
                    "warning",
                    str(place.section.mark),
                    "notified-twice",
                    f"{place.route.options.receiver} gets these alerts already from"
                    f" {format_matchers(sibling.matchers)}",
                    "remove one of the two, or that one's continue",
                )
                break


def continue_without_effect(config: AlertmanagerConfig, _context: Context) -> Iterator[Finding]:
    """Nothing comes after it."""
    for place in places(config):
        parent = place.route.parent
        if parent is not None and place.route.continue_ and parent.children[-1] is place.route:
            yield Finding(
                "note",
                str(place.section.at("continue")),
                "continue-without-effect",
                "no route comes after this one",
                "remove continue, unless more routes are to come",
            )


def matches_everything(config: AlertmanagerConfig, _context: Context) -> Iterator[Finding]:
    """A condition that every alert fulfils."""
    for place in places(config):
        for matcher in place.route.matchers:
            if matcher.type is MatchType.REGEXP and matcher.value in (".*", "^(?:.*)$"):
                yield Finding(
                    "note",
                    str(place.section.mark),
                    "matches-everything",
                    f"{matcher} is fulfilled by every alert, with the label or without it",
                    f'{matcher.name}!="" asks for the label',
                )


def plain_expression(config: AlertmanagerConfig, _context: Context) -> Iterator[Finding]:
    """A regular expression that is one text."""
    for place in places(config):
        for matcher in (*place.section.matchers, *place.section.match_re):
            if matcher.type in (MatchType.REGEXP, MatchType.NOT_REGEXP) and matcher.value.isalnum():
                operator = "=" if matcher.type is MatchType.REGEXP else "!="
                yield Finding(
                    "note",
                    str(place.section.mark),
                    "plain-expression",
                    f"{matcher} is compared as a regular expression, and is one text",
                    f'{matcher.name}{operator}"{matcher.value}" says the same',
                )


def one_group(config: AlertmanagerConfig, _context: Context) -> Iterator[Finding]:
    """All alerts of a route in one notification, or each in its own."""
    for place in places(config):
        options = place.route.options
        if place.route.children and place.route.parent is not None:
            continue
        if ALL_LABELS in (place.section.group_by or ()):
            yield Finding(
                "note",
                str(place.section.at("group_by")),
                "no-grouping",
                "every alert is notified on its own: a large outage becomes as many notifications",
                "group by alertname and by the label of the location, as cluster",
            )
        elif not options.group_by and not options.group_by_all and place.route.parent is None:
            yield Finding(
                "note",
                str(place.section.mark),
                "one-group",
                "without group_by all alerts of the route are one group: a new one waits for group_interval",
                "group_by: [alertname]",
            )


def intervals(config: AlertmanagerConfig, context: Context) -> Iterator[Finding]:
    """Intervals that conflict with each other, the retention, or the wait of one node for another."""
    from tocsin.alerting.duration import format_duration

    longest = context.peer_timeout * max(context.nodes - 1, 0)
    for place in places(config):
        options, section = place.route.options, place.section
        own = {
            name
            for name in ("group_wait", "group_interval", "repeat_interval")
            if section[name] is not None or place.route.parent is None
        }
        group, repeat = format_duration(options.group_interval), format_duration(options.repeat_interval)
        if options.repeat_interval > context.retention and "repeat_interval" in own:
            yield Finding(
                "warning",
                str(section.at("repeat_interval")),
                "repeat-past-retention",
                f"repeat_interval {repeat} is more than --data.retention"
                f" {format_duration(context.retention)}: what was notified is forgotten before, and notified"
                " again too early",
                "raise --data.retention on every node, or shorten repeat_interval",
            )
        if options.repeat_interval < options.group_interval and own & {"repeat_interval", "group_interval"}:
            yield Finding(
                "warning",
                str(section.at("repeat_interval" if "repeat_interval" in own else "group_interval")),
                "repeat-below-group",
                f"repeat_interval {repeat} is less than group_interval {group}, at which groups are flushed"
                " at",
                f"nothing is repeated more often than every {group}: make it a multiple of that",
            )
        elif options.repeat_interval % options.group_interval and own & {"repeat_interval", "group_interval"}:
            yield Finding(
                "note",
                str(section.at("repeat_interval" if "repeat_interval" in own else "group_interval")),
                "repeat-no-multiple",
                f"repeat_interval {repeat} is not a multiple of group_interval {group}: the repetition comes"
                " with the next group_interval after it",
                "make it a multiple",
            )
        if options.group_interval < longest and "group_interval" in own:
            yield Finding(
                "warning",
                str(section.at("group_interval")),
                "no-time-to-deduplicate",
                f"group_interval {group} is less than the {format_duration(longest)} that the last of"
                f" {context.nodes} nodes waits for the others: what changes meanwhile can be notified twice",
                "lengthen group_interval, or shorten --cluster.peer-timeout on every node",
            )
