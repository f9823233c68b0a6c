"""Findings of rules, and what rules read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from tocsin.alerting.matcher import Matcher, MatchType
from tocsin.alerting.route import Route
from tocsin.dataclass import dataclass
from tocsin.node.config.alertmanager import AlertmanagerConfig
from tocsin.node.config.routing import RouteSection


@dataclass(frozen=True, slots=True)
class Finding:
    """``level``: a warning is probably not intended; a note may be."""

    level: Literal["warning", "note"]
    place: str
    rule: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Context:
    """Flags of the nodes that rules compare with. Nanoseconds."""

    retention: int
    peer_timeout: int
    nodes: int


@dataclass(frozen=True, slots=True)
class Place:
    """A route as it is written, as it is built, and the routes beside it that come before."""

    section: RouteSection
    route: Route
    before: tuple[Route, ...]

    @property
    def all_matchers(self) -> tuple[Matcher, ...]:
        """The matchers of the route and of those above it."""
        found: list[Matcher] = []
        at: Route | None = self.route
        while at is not None:
            found += at.matchers
            at = at.parent
        return tuple(found)


def places(config: AlertmanagerConfig) -> Iterator[Place]:
    """All routes, parents first."""
    if config.routing is not None:
        yield from _places(config.routing, config.route, ())


def _places(section: RouteSection, route: Route, before: tuple[Route, ...]) -> Iterator[Place]:
    yield Place(section, route, before)
    for number, (child, built) in enumerate(zip(section.routes, route.children, strict=True)):
        yield from _places(child, built, tuple(route.children[:number]))


def implies(given: tuple[Matcher, ...], wanted: Matcher) -> bool:
    """Whether every label set that fulfils ``given`` fulfils ``wanted``, as far as it can be decided."""
    for one in given:
        if (one.type, one.name, one.value) == (wanted.type, wanted.name, wanted.value):
            return True
        if one.name == wanted.name and one.type is MatchType.EQUAL and wanted.matches(one.value):
            return True
    return False


Rule = Callable[[AlertmanagerConfig, Context], Iterator[Finding]]
