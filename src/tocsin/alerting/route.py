"""The routing tree: which receivers an alert goes to, and how it is grouped on the way.

``RouteConfig`` is a route as written in ``alertmanager.yml``; ``build_route`` makes the tree out of it, each
``Route`` with the options it inherits. Order and texts (``key``, ``id``) are Alertmanager's, as peers compare
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, format_matchers, matches_all, sort_matchers
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.dataclass import dataclass

DEFAULT_GROUP_WAIT = 30 * SECOND
DEFAULT_GROUP_INTERVAL = 5 * 60 * SECOND
DEFAULT_REPEAT_INTERVAL = 4 * 3600 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteConfig:
    """A route as written. ``None``: as the parent has it (the root: the default). Durations: nanoseconds.

    ``group_by_all`` is ``group_by: ['...']``; an empty ``group_by`` is one group for all.
    ``matchers`` holds all three forms (``match``, ``match_re``, ``matchers``) in any order. The pattern of a
    ``match_re`` stands in group keys as ``^(?:pattern)$``: make its matcher with that value.
    """

    receiver: str = ""
    group_by: tuple[str, ...] | None = None
    group_by_all: bool = False
    matchers: tuple[Matcher, ...] = ()
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    continue_: bool = False
    group_wait: Nanoseconds | None = None
    group_interval: Nanoseconds | None = None
    repeat_interval: Nanoseconds | None = None
    labels: tuple[tuple[str, str], ...] = ()
    """``labels``, for templates and the API; values may be templates."""
    routes: tuple[RouteConfig, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteOptions:
    """What a route does with its alerts. Time intervals are not inherited, all else is. Nanoseconds."""

    receiver: str
    group_by: frozenset[str] = frozenset()
    group_by_all: bool = False
    group_wait: Nanoseconds = DEFAULT_GROUP_WAIT
    group_interval: Nanoseconds = DEFAULT_GROUP_INTERVAL
    repeat_interval: Nanoseconds = DEFAULT_REPEAT_INTERVAL
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    """Those of the routes above it too, by name; a child's own value counts."""


@dataclass(eq=False, slots=True)
class Route:
    """A node of the tree. Compared by identity: two routes may have equal options and matchers."""

    options: RouteOptions
    matchers: tuple[Matcher, ...] = ()
    continue_: bool = False
    parent: Route | None = field(default=None, repr=False)
    children: list[Route] = field(default_factory=list)
    key: str = ""
    """The matchers from the root down, ``{}/{severity="page"}``. Not unique: siblings may be alike."""
    id: str = ""
    """As ``key`` with each child's index among its siblings, ``{}/{severity="page"}/0``. Unique."""

    def match(self, labels: Labels) -> list[Route]:
        """The routes for an alert: depth first, left to right, each level ending at its first match without
        ``continue``; a route none of whose children matched is a match itself."""
        found: list[Route] = []
        self._match(labels, found)
        return found

    def _match(self, labels: Labels, found: list[Route]) -> bool:
        if not matches_all(self.matchers, labels):
            return False
        before = len(found)
        for child in self.children:
            if child._match(labels, found) and not child.continue_:
                break
        if len(found) == before:
            found.append(self)
        return True

    def walk(self) -> Iterator[Route]:
        """This route and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def walk_upwards(self) -> Iterator[Route]:
        """This route and all below it, each after its children."""
        for child in self.children:
            yield from child.walk_upwards()
        yield self

    def group_labels(self, labels: Labels) -> Labels:
        """The labels that name an alert's aggregation group below this route."""
        return labels if self.options.group_by_all else labels.subset(self.options.group_by)

    def group_key(self, group_labels: Labels) -> str:
        """What names a group in notifications and in the notification log."""
        return f"{self.key}:{group_labels}"


def build_route(config: RouteConfig) -> Route:
    """The tree of a configuration's ``route``."""
    return _build(config, None, 0)


def _build(config: RouteConfig, parent: Route | None, place: int) -> Route:
    inherited = parent.options if parent is not None else RouteOptions(receiver="")
    group_by, group_by_all = inherited.group_by, inherited.group_by_all
    if config.group_by_all:
        group_by_all = True
    elif config.group_by is not None:
        group_by, group_by_all = frozenset(config.group_by), False
    matchers = sort_matchers(config.matchers)
    text = format_matchers(matchers)
    route = Route(
        options=RouteOptions(
            receiver=config.receiver or inherited.receiver,
            group_by=group_by,
            group_by_all=group_by_all,
            group_wait=_or(config.group_wait, inherited.group_wait),
            group_interval=_or(config.group_interval, inherited.group_interval),
            repeat_interval=_or(config.repeat_interval, inherited.repeat_interval),
            mute_time_intervals=config.mute_time_intervals,
            active_time_intervals=config.active_time_intervals,
            labels=tuple(sorted(dict(inherited.labels + config.labels).items())),
        ),
        matchers=matchers,
        continue_=config.continue_,
        parent=parent,
        key=text if parent is None else f"{parent.key}/{text}",
        id=text if parent is None else f"{parent.id}/{text}/{place}",
    )
    route.children = [_build(child, route, index) for index, child in enumerate(config.routes)]
    return route


def _or(value: int | None, inherited: int) -> int:
    return inherited if value is None else value
