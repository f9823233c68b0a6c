"""What happens in a story, and what it is configured with: all by the seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf
from random import Random
from typing import Any, Final, Literal

LENGTH: Final = 16.0
"""Seconds in which things happen. Events come at halves of a second, timers go off a quarter beside them: so
what is first is first in both programs, even on a busy machine."""
REST: Final = 8.0
STEP: Final = 0.5
PHASES: Final = 8
BATCH: Final = 24
"""So many in a row have a reload, or a restart, or neither."""
DOWN: Final = (8.0, 12.0)
"""When a node ends that is to begin anew, and when all is told again that fires: it is up by then."""

_BY_NAME = ("alertname",)
GROUPINGS: Final[tuple[tuple[str, ...] | None, ...]] = (_BY_NAME, _BY_NAME, _BY_NAME, (), ("...",), None)
"""Of a route. None: as its parent."""

Kind = Literal["fire", "end", "again", "silence", "unsilence"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that is done to all nodes. ``number`` is the alert's label ``i``. ``again``: it is reported
    once more that it fires."""

    at: float
    kind: Kind
    name: str
    number: int
    lasts: float = 0.0
    """``fire``: the alert says itself that it ends so many seconds later; 0: it does not."""
    old: bool = False
    """``fire``: it has been firing for an hour."""

    def __str__(self) -> str:
        more = f" for {self.lasts:g} s" if self.lasts else ""
        return f"{self.at:4.1f} {self.kind} {self.name}{self.number}{more}{' old' if self.old else ''}"


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook: how it answers its first requests (then always 200), and when nobody listens."""

    send_resolved: bool
    answers: tuple[str, ...] = ()
    """``500``, ``503``, ``400``, ``404``, ``429``, ``hang``, ``close``."""
    refuses: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """Everything about one story."""

    seed: int
    group_by: tuple[str, ...] | None
    group_wait: float
    group_interval: float
    repeat_interval: float
    hooks: tuple[Hook, ...]
    child: str = ""
    """A route below, for ``i="1"``: ``same`` receiver, or ``other``; with ``continue`` if it ends with +."""
    child_group_by: tuple[str, ...] | None = None
    inhibits: bool = False
    interval: str = ""
    """``never`` or ``always``: the name of a time interval that mutes the route for B; with + at the end:
    that it is active in."""
    reload_at: float = 0.0
    restarts: bool = False
    """Whether a node (the second, if there are several) ends and begins anew."""
    events: tuple[Event, ...] = field(default=())

    def __str__(self) -> str:
        head = (
            f"seed {self.seed}: group_by {self.group_by}, group_wait {self.group_wait:g}, group_interval "
            f"{self.group_interval:g}, repeat_interval {self.repeat_interval:g}, hooks {self.hooks}"
        )
        more = [
            f"child {self.child} by {self.child_group_by}" if self.child else "",
            "1 inhibits the others" if self.inhibits else "",
            f"B {'active' if self.interval.endswith('+') else 'muted'} {self.interval}"
            if self.interval
            else "",
            f"reload at {self.reload_at:g}" if self.reload_at else "",
            f"restart at {DOWN[0]:g}" if self.restarts else "",
        ]
        return "\n  ".join([head, *filter(None, more), *map(str, self.events)])


def fires(story: Story, name: str, number: int, at: float) -> bool:
    """Whether an alert fires then, by what the nodes have been told."""
    until = -inf
    for event in story.events:
        if (event.name, event.number) != (name, number) or event.at > at:
            continue
        if event.kind == "fire":
            until = event.at + event.lasts if event.lasts else inf
        elif event.kind == "end":
            until = event.at
    return at < until


def tell(seed: int) -> Story:
    """The story of a seed."""
    chance, more = Random(f"story/{seed}"), Random(f"more/{seed}")
    turn = seed // BATCH % 8
    reload_at = 8.0 if turn == 3 else 0.0
    interval = chance.choice((2.0, 2.0, 3.0, 5.0))
    repeats = not reload_at and chance.random() < 0.25
    child = chance.choice(("", "", "", "same", "same+", "other", "other+"))
    story = Story(
        seed,
        group_by=chance.choice(GROUPINGS),
        group_wait=chance.choice((0.25, 0.25, 0.75)),
        group_interval=interval,
        repeat_interval=more.choice((0.5, 1.5, 2.5)) * interval if repeats else 3600.0,
        hooks=tuple(_hook(chance, more) for _ in range(chance.choice((1, 1, 2)))),
        child=child,
        child_group_by=chance.choice(GROUPINGS) if child else None,
        inhibits=chance.random() < 0.15,
        interval=chance.choice(("", "", "", "", "never", "always")) + more.choice(("", "", "+")),
        reload_at=reload_at,
        restarts=turn == 7,
        events=_events(chance),
    )
    if story.interval == "+":
        story = replace(story, interval="")
    return replace(story, events=_around(story.events)) if story.restarts else story


def _around(events: tuple[Event, ...]) -> tuple[Event, ...]:
    """Nothing happens from just before a restart to a while after it; then all that fires is told again."""
    begins, ends = DOWN[0] - STEP, DOWN[1]
    before = [event for event in events if event.at < begins]
    last = {(event.name, event.number): event for event in before if event.kind in ("fire", "end")}
    again = [
        Event(ends, "again", name, number)
        for (name, number), event in last.items()
        if event.kind == "fire" and not event.lasts
    ]
    return (*before, *again, *(event for event in events if event.at > ends))


def _hook(chance: Random, more: Random) -> Hook:
    trouble = chance.choice(("", "", "", "500", "500", "close", "hang", "400", "refuses"))
    refuses = None
    if trouble == "refuses":
        begins = chance.randrange(0, 20) * STEP
        refuses = begins, begins + chance.choice((1.0, 2.0))
    answers: list[str] = []
    if trouble and trouble != "refuses":
        answers = ["200"] * chance.randint(0, 3) + [trouble] * (
            1 if trouble == "hang" else chance.randint(1, 2)
        )
        other = more.choice(("", "", "503", "429", "404"))
        answers = [other if other and one in ("500", "400") else one for one in answers]
    return Hook(chance.random() < 0.5, tuple(answers), refuses)


def _events(chance: Random) -> tuple[Event, ...]:
    events: list[Event] = []
    for name in "AB"[: chance.choice((1, 1, 2))]:
        for number in range(1, 1 + chance.randint(1, 4)):
            at = 0.0 if chance.random() < 0.6 else chance.randrange(0, 20) * STEP
            fires = True
            while at < LENGTH:
                lasts = chance.choice((1.0, 3.0)) if fires and chance.random() < 0.1 else 0.0
                old = fires and chance.random() < 0.1
                events.append(Event(at, "fire" if fires else "end", name, number, lasts, old))
                at += chance.randrange(1, chance.choice((4, 10, 20))) * STEP
                fires = not fires or bool(lasts) or chance.random() < 0.1
    for _ in range(chance.choice((0, 0, 0, 1, 2))):
        begins = chance.randrange(0, 20) * STEP
        name, number = chance.choice(events).name, chance.randint(1, 3)
        events.append(Event(begins, "silence", name, number))
        events.append(Event(begins + chance.randrange(2, 15) * STEP, "unsilence", name, number))
    return tuple(sorted(events, key=lambda event: event.at))


def starts(stories: Sequence[Story]) -> dict[int, float]:
    """When each of the stories that are played side by side begins, in seconds, by its seed. One after
    another, so that not all have their timers at the same moments; but a reload or a restart is for all."""
    together = any(story.reload_at or story.restarts for story in stories)
    return {story.seed: 0.0 if together else place % PHASES * STEP for place, story in enumerate(stories)}


def configuration(stories: list[Story], url: Any, warm: str) -> dict[str, Any]:
    """``alertmanager.yml`` for stories side by side. ``url(story, hook)``: where a webhook listens. ``warm``:
    where one does for alerts with ``story="warm"``."""
    receivers: list[dict[str, Any]] = [
        {"name": "nobody"},
        {"name": "warm", "webhook_configs": [{"url": warm}]},
    ]
    routes: list[dict[str, Any]] = [
        {"receiver": "warm", "matchers": ['story="warm"'], "group_by": ["alertname"], "group_wait": "0s"}
    ]
    rules: list[dict[str, Any]] = []
    for story in stories:
        for suffix in ("", "-other"):
            hooks = [
                {
                    "url": url(story, f"{index}{suffix}"),
                    "send_resolved": hook.send_resolved,
                    **({"timeout": "700ms"} if "hang" in hook.answers else {}),
                }
                for index, hook in enumerate(story.hooks)
            ]
            receivers.append({"name": f"hook-{story.seed}{suffix}", "webhook_configs": hooks})
        routes.append(_route(story))
        if story.inhibits:
            mine = f'story="{story.seed}"'
            rules.append(
                {
                    "source_matchers": [mine, 'i="1"'],
                    "target_matchers": [mine, 'i!="1"'],
                    "equal": ["alertname"],
                }
            )
    return {
        "route": {"receiver": "nobody", "routes": routes},
        "receivers": receivers,
        "inhibit_rules": rules,
        "time_intervals": [
            {"name": "never", "time_intervals": [{"years": ["1999"]}]},
            {"name": "always", "time_intervals": [{"days_of_month": ["1:31"]}]},
        ],
    }


def _route(story: Story) -> dict[str, Any]:
    route: dict[str, Any] = {
        "receiver": f"hook-{story.seed}",
        "matchers": [f'story="{story.seed}"'],
        "group_wait": f"{round(story.group_wait * 1000)}ms",
        "group_interval": f"{round(story.group_interval * 1000)}ms",
        "repeat_interval": f"{round(story.repeat_interval * 1000)}ms",
        "routes": [],
    }
    if story.group_by is not None:
        route["group_by"] = list(story.group_by)
    if story.interval:
        key = "active_time_intervals" if story.interval.endswith("+") else "mute_time_intervals"
        route["routes"].append({"matchers": ['alertname="B"'], key: [story.interval.rstrip("+")]})
    if story.child:
        child: dict[str, Any] = {
            "matchers": ['i="1"'],
            "receiver": f"hook-{story.seed}" + ("-other" if story.child.startswith("other") else ""),
            "continue": story.child.endswith("+"),
        }
        if story.child_group_by is not None:
            child["group_by"] = list(story.child_group_by)
        route["routes"].insert(0, child)
        if child["continue"]:  # to the route itself, which would else not be one of its own matches
            route["routes"].append({"matchers": ['i=~".*"']})
    return route
