"""``route`` and ``inhibit_rules`` of the file."""

from __future__ import annotations

from collections.abc import Collection

from tocsin.alerting.inhibit import InhibitRule
from tocsin.alerting.matcher import Matcher
from tocsin.alerting.quote import go_quote
from tocsin.alerting.route import RouteConfig
from tocsin.config.readers import deferred, list_of, map_of, template, text
from tocsin.config.scalars import boolean, duration, show_duration
from tocsin.config.schema import Section, option
from tocsin.config.texts import Template
from tocsin.config.yaml import Reader
from tocsin.node.config.matchers import (
    MatcherLines,
    anchored,
    label_names,
    matcher_lines,
    read_match,
    read_match_re,
    show_old_form,
)

ALL_LABELS = "..."


class RouteSection(Section):
    """A route, with the routes below it."""

    receiver: str = option(text, default="")
    group_by: tuple[str, ...] | None = option(list_of(text), default=None)
    match: tuple[Matcher, ...] = option(read_match, default=(), show=show_old_form)
    match_re: tuple[Matcher, ...] = option(read_match_re, default=(), show=show_old_form)
    matchers: MatcherLines = option(matcher_lines, default=MatcherLines(), show=MatcherLines.shown)
    mute_time_intervals: tuple[str, ...] = option(list_of(text), default=())
    active_time_intervals: tuple[str, ...] = option(list_of(text), default=())
    continue_: bool = option(boolean, default=False, name="continue", always=True)
    routes: tuple[RouteSection, ...] = option(deferred(lambda: read_route), default=())
    group_wait: int | None = option(duration, default=None, show=show_duration)
    group_interval: int | None = option(duration, default=None, show=show_duration)
    repeat_interval: int | None = option(duration, default=None, show=show_duration)

    labels: dict[str, Template] = option(map_of(template), default={})

    def check(self) -> None:
        """Names that labels can have, each once; no interval of zero."""
        group_by = self.group_by or ()
        label_names(self, "group_by", self.group_names)
        if self.group_names and len(self.group_names) < len(group_by):
            raise self.at("group_by").error(
                "cannot have wildcard group_by (`...`) and other labels at the same time",
                "keep one of the two",
            )
        for name in self.group_names:
            if self.group_names.count(name) > 1:
                raise self.at("group_by").error(
                    f"duplicated label {go_quote(name)} in group_by", "remove one"
                )
        label_names(self, "labels", self.labels)
        for name in ("group_interval", "repeat_interval"):
            if self[name] == 0:
                raise self.at(name).error(f"{name} cannot be zero", "leave it out for the default")

    @property
    def group_names(self) -> tuple[str, ...]:
        """The labels of ``group_by``."""
        return tuple(name for name in self.group_by or () if name != ALL_LABELS)

    def build(self) -> RouteConfig:
        """What the tree is built of."""
        return RouteConfig(
            receiver=self.receiver,
            group_by=None if self.group_by is None else self.group_names,
            group_by_all=ALL_LABELS in (self.group_by or ()),
            matchers=self.match + anchored(self.match_re) + tuple(self.matchers),
            mute_time_intervals=self.mute_time_intervals,
            active_time_intervals=self.active_time_intervals,
            continue_=self.continue_,
            group_wait=self.group_wait,
            group_interval=self.group_interval,
            repeat_interval=self.repeat_interval,
            labels=tuple(self.labels.items()),
            routes=tuple(route.build() for route in self.routes),
        )


read_route: Reader[tuple[RouteSection, ...]] = list_of(RouteSection.read)


def check_root(root: RouteSection) -> None:
    """The root matches every alert: it has a receiver and no matchers."""
    if not root.receiver:
        raise root.mark.error("root route must specify a default receiver", "add receiver: to route:")
    if root.match or root.match_re or root.matchers:
        given = next(name for name in ("match", "match_re", "matchers") if root[name])
        raise root.at(given).error(
            "root route must not have any matchers", "move them to a route below routes:"
        )
    for name in ("mute_time_intervals", "active_time_intervals"):
        if root[name]:
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
        for interval in route[name]:
            if interval not in intervals:
                raise route.at(name).error(
                    f"undefined time interval {go_quote(interval)} used in route",
                    "define it below time_intervals:",
                )
    for child in route.routes:
        check_names(child, receivers, intervals)


class InhibitSection(Section):
    """One of ``inhibit_rules``."""

    name: str = option(text, default="")
    source_match: tuple[Matcher, ...] = option(read_match, default=(), show=show_old_form)
    source_match_re: tuple[Matcher, ...] = option(read_match_re, default=(), show=show_old_form)
    source_matchers: MatcherLines = option(matcher_lines, default=MatcherLines(), show=MatcherLines.shown)
    target_match: tuple[Matcher, ...] = option(read_match, default=(), show=show_old_form)
    target_match_re: tuple[Matcher, ...] = option(read_match_re, default=(), show=show_old_form)
    target_matchers: MatcherLines = option(matcher_lines, default=MatcherLines(), show=MatcherLines.shown)
    equal: tuple[str, ...] = option(list_of(text), default=())

    def check(self) -> None:
        """Names that labels can have."""
        label_names(self, "equal", self.equal)

    def build(self) -> InhibitRule:
        """The domain's inhibition rule."""
        return InhibitRule(
            name=self.name,
            source_matchers=self.source_match + self.source_match_re + tuple(self.source_matchers),
            target_matchers=self.target_match + self.target_match_re + tuple(self.target_matchers),
            equal=self.equal,
        )
