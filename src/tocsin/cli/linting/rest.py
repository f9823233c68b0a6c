"""Rules on inhibition, receivers, time intervals, templates, and old keys."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.alerting.matcher import format_matchers, sort_matchers
from tocsin.cli.linting.findings import Context, Finding, places
from tocsin.node.config.alertmanager import AlertmanagerConfig


def inhibition_without_equal(config: AlertmanagerConfig, _context: Context) -> Iterator[Finding]:
    """One source anywhere mutes all targets everywhere."""
    for section in config.inhibitions:
        if not section.equal:
            yield Finding(
                "warning",
                str(section.mark),
                "inhibition-without-equal",
                "without equal one source alert, wherever it fires, mutes every target alert",
                "equal: [cluster], or whatever label both have in common",
            )


def inhibition_of_everything(config: AlertmanagerConfig, _context: Context) -> Iterator[Finding]:
    """A side without conditions."""
    for section, rule in zip(config.inhibitions, config.inhibit_rules, strict=True):
        for side, matchers in (("source", rule.source_matchers), ("target", rule.target_matchers)):
            if not matchers:
                yield Finding(
                    "warning",
                    str(section.mark),
                    "inhibition-of-everything",
                    f"without {side}_matchers every alert is a {side}",
                    f"add {side}_matchers",
                )


def inhibition_of_itself(config: AlertmanagerConfig, _context: Context) -> Iterator[Finding]:
    """Both sides are the same, so the rule does nothing."""
    for section, rule in zip(config.inhibitions, config.inhibit_rules, strict=True):
        source, target = sort_matchers(rule.source_matchers), sort_matchers(rule.target_matchers)
        if source and source == target:
            yield Finding(
                "warning",
                str(section.mark),
                "inhibition-of-itself",
                f"both sides are {format_matchers(source)}: an alert that matches both is not inhibited",
                "make the sides differ, as by severity",
            )


def unused(config: AlertmanagerConfig, _context: Context) -> Iterator[Finding]:
    """Receivers and time intervals that no route names."""
    used = {place.route.options.receiver for place in places(config)}
    for receiver in config.receivers:
        if receiver.name not in used:
            yield Finding(
                "note",
                str(receiver.mark),
                "unused-receiver",
                f"no route names the receiver {receiver.name}",
                "remove it, or route to it",
            )
    named = {
        name
        for place in places(config)
        for name in (*place.section.mute_time_intervals, *place.section.active_time_intervals)
    }
    for interval in (*config.named_intervals, *config.mute_intervals):
        if interval.name not in named:
            yield Finding(
                "note",
                str(interval.mark),
                "unused-time-interval",
                f"no route names the time interval {interval.name}",
                "remove it, or name it in mute_time_intervals or active_time_intervals",
            )


def empty_interval(config: AlertmanagerConfig, _context: Context) -> Iterator[Finding]:
    """A named interval without entries contains no time; a route that is only active in it never notifies."""
    for interval in (*config.named_intervals, *config.mute_intervals):
        if not interval.time_intervals:
            yield Finding(
                "warning",
                str(interval.mark),
                "empty-time-interval",
                f"the time interval {interval.name} has no entries, so it never comes",
                "add time_intervals to it",
            )


def receiver_without_integrations(config: AlertmanagerConfig, _context: Context) -> Iterator[Finding]:
    """Alerts that are routed there notify nobody."""
    used = {place.route.options.receiver for place in places(config)}
    for receiver in config.receivers:
        if receiver.name in used and not receiver.integrations:
            yield Finding(
                "note",
                str(receiver.mark),
                "silent-receiver",
                f"the receiver {receiver.name} has no integrations: what is routed to it is sent to nobody",
                "name it null or the like, if that is meant",
            )


def templates_without_files(config: AlertmanagerConfig, _context: Context) -> Iterator[Finding]:
    """A glob that names no file."""
    from tocsin.notify.template.files import BadPatternError, glob

    for pattern in config.templates:
        try:
            found = glob(pattern)
        except BadPatternError:
            continue  # The file would have been refused.
        if not found:
            yield Finding(
                "warning",
                str(config.at("templates")),
                "no-template-files",
                f"{pattern} names no file",
                "fix the path, which is relative to the configuration's folder",
            )


def old_keys(config: AlertmanagerConfig, _context: Context) -> Iterator[Finding]:
    """Keys that Alertmanager will remove."""
    for place in places(config):
        for name in ("match", "match_re"):
            if place.section[name]:
                yield _old(str(place.section.at(name)), name, "matchers")
    for rule in config.inhibitions:
        for side in ("source", "target"):
            for name in (f"{side}_match", f"{side}_match_re"):
                if rule[name]:
                    yield _old(str(rule.at(name)), name, f"{side}_matchers")
    if config.mute_intervals:
        yield _old(str(config.at("mute_time_intervals")), "mute_time_intervals at the top", "time_intervals")


def _old(place: str, name: str, new: str) -> Finding:
    return Finding("note", place, "old-key", f"{name} is deprecated", f"write {new}")
