"""``route`` and ``inhibit_rules`` of the file."""

# ruff: noqa: RUF009 - an option is a field, as dataclasses.field() is

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tocsin.alerting.duration import format_duration
from tocsin.alerting.inhibit import InhibitRule
from tocsin.alerting.matcher import Matcher
from tocsin.alerting.quote import go_quote
from tocsin.alerting.route import RouteConfig
from tocsin.node.config.matchers import (
    MatcherList,
    Notation,
    anchored,
    label_names,
    matcher_list,
    read_match,
    read_match_re,
    show_old_form,
)
from tocsin.node.config.scalars import boolean, duration
from tocsin.node.config.schema import Reader, Section, deferred, list_of, option, section, text

ALL_LABELS = "..."


def show_duration(span: int | None) -> str:
    """In Prometheus' notation."""
    return format_duration(span or 0)


@dataclass(kw_only=True)
class RouteSection(Section):
    """A route, with the routes below it."""

    receiver: str = option(text, "")
    group_by: tuple[str, ...] | None = option(list_of(text), None)
    match: tuple[Matcher, ...] = option(read_match, (), show=show_old_form)
    match_re: tuple[Matcher, ...] = option(read_match_re, (), show=show_old_form)
    matchers: MatcherList | None = option(matcher_list, None, show=MatcherList.shown)
    mute_time_intervals: tuple[str, ...] = option(list_of(text), ())
    active_time_intervals: tuple[str, ...] = option(list_of(text), ())
    continue_: bool = option(boolean, False, name="continue", always=True)
    routes: tuple[RouteSection, ...] = option(deferred(lambda: read_route), ())
    group_wait: int | None = option(duration, None, show=show_duration)
    group_interval: int | None = option(duration, None, show=show_duration)
    repeat_interval: int | None = option(duration, None, show=show_duration)

    def build(self, notation: Notation) -> RouteConfig:
        """What the domain gets, label names and matchers checked."""
        group_by = self.group_by or ()
        names = tuple(name for name in group_by if name != ALL_LABELS)
        label_names(self, "group_by", names, notation)
        if names and len(names) < len(group_by):
            raise self.at("group_by").error(
                "cannot have wildcard group_by (`...`) and other labels at the same time",
                "keep one of the two",
            )
        for name in names:
            if names.count(name) > 1:
                raise self.at("group_by").error(
                    f"duplicated label {go_quote(name)} in group_by", "remove one"
                )
        return RouteConfig(
            receiver=self.receiver,
            group_by=None if self.group_by is None else names,
            group_by_all=ALL_LABELS in group_by,
            matchers=self.match
            + anchored(self.match_re)
            + (self.matchers.parse(notation) if self.matchers else ()),
            mute_time_intervals=self.mute_time_intervals,
            active_time_intervals=self.active_time_intervals,
            continue_=self.continue_,
            group_wait=self.group_wait,
            group_interval=self.group_interval,
            repeat_interval=self.repeat_interval,
            routes=tuple(route.build(notation) for route in self.routes),
        )


def _check_route(route: RouteSection) -> None:
    for name in ("group_interval", "repeat_interval"):
        if getattr(route, name) == 0:
            raise route.at(name).error(f"{name} cannot be zero", "leave it out for the default")


one_route = section(RouteSection, _check_route)
read_route: Reader[tuple[RouteSection, ...]] = list_of(one_route)


def check_root(root: RouteSection) -> None:
    """The root takes every alert: it has a receiver and no condition."""
    if not root.receiver:
        raise root.mark.error("root route must specify a default receiver", "add receiver: to route:")
    if root.match or root.match_re or root.matchers:
        given = next(name for name in ("match", "match_re", "matchers") if getattr(root, name))
        raise root.at(given).error(
            "root route must not have any matchers", "move them to a route below routes:"
        )
    for name in ("mute_time_intervals", "active_time_intervals"):
        if getattr(root, name):
            problem = f"root route must not have any {name.replace('_', ' ')}"
            raise root.at(name).error(problem, "move them to a route below routes:")
    if root.continue_:
        raise root.at("continue").error("cannot have continue in root route", "remove it")


def check_names(route: RouteSection, receivers: Collection[str], intervals: Collection[str]) -> None:
    """Every receiver and time interval that a route names is defined."""
    if route.receiver and route.receiver not in receivers:
        raise route.at("receiver").error(
            f"undefined receiver {go_quote(route.receiver)} used in route", "define it below receivers:"
        )
    for name in ("active_time_intervals", "mute_time_intervals"):
        for interval in getattr(route, name):
            if interval not in intervals:
                raise route.at(name).error(
                    f"undefined time interval {go_quote(interval)} used in route",
                    "define it below time_intervals:",
                )
    for child in route.routes:
        check_names(child, receivers, intervals)


@dataclass(kw_only=True)
class InhibitSection(Section):
    """One of ``inhibit_rules``."""

    name: str = option(text, "")
    source_match: tuple[Matcher, ...] = option(read_match, (), show=show_old_form)
    source_match_re: tuple[Matcher, ...] = option(read_match_re, (), show=show_old_form)
    source_matchers: MatcherList | None = option(matcher_list, None, show=MatcherList.shown)
    target_match: tuple[Matcher, ...] = option(read_match, (), show=show_old_form)
    target_match_re: tuple[Matcher, ...] = option(read_match_re, (), show=show_old_form)
    target_matchers: MatcherList | None = option(matcher_list, None, show=MatcherList.shown)
    equal: tuple[str, ...] = option(list_of(text), ())

    def build(self, notation: Notation) -> InhibitRule:
        """What the domain gets."""
        label_names(self, "equal", self.equal, notation)
        source = self.source_matchers.parse(notation) if self.source_matchers else ()
        target = self.target_matchers.parse(notation) if self.target_matchers else ()
        return InhibitRule(
            name=self.name,
            source_matchers=self.source_match + self.source_match_re + source,
            target_matchers=self.target_match + self.target_match_re + target,
            equal=self.equal,
        )
