"""Whether two sides have told the same, and what of it was not by chance."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from operator import lt
from typing import Final, TypeAlias

import httpx

from tests.stories.play import Record, Setting, play
from tests.stories.sink import Told
from tests.stories.story import LENGTH, REST, STEP, Hook, Story, fires

Line: TypeAlias = tuple[str, str, tuple[tuple[str, str], ...], str, str]
"""Status, reason, alerts, the rest, and how it was answered."""
Sequences: TypeAlias = tuple[tuple[tuple[str, str], tuple[Line, ...]], ...]
"""For each group at each webhook what it was told, in order."""

ENOUGH: Final = 3
"""Plays after which a difference counts."""
MOST: Final = 8
TOGETHER: Final = 72
"""Stories that are played side by side by the same processes at most, apart by the label ``story``."""
ROUNDS: Final = 8
"""Of minimising a story."""
LATEST: Final = 0.2
"""Seconds by which an event may come late: timers go off a quarter of a second beside them."""


def sequences(story: Story, told: Iterable[Told]) -> Sequences:
    """What is compared. The same told several times in a row counts once: how often a failing webhook is
    tried is left to chance by both, and an Alertmanager cluster tells some things twice that we tell once.
    What comes as the listening ends is left out: it may be seen of one side only."""
    groups: dict[tuple[str, str], list[Line]] = {}
    for one in told:
        if one.at > LENGTH + REST - (1.5 if one.answer != "200" else STEP / 4):
            continue
        line = one.status, one.reason, one.alerts, one.rest, one.answer
        lines = groups.setdefault((one.hook, one.group), [])
        if not lines or lines[-1] != line:
            lines.append(line)
    for lines in groups.values():
        if story.reload_at or story.restarts:
            lines[:] = _without_repeated_ends(lines)
    return tuple(sorted((group, tuple(lines)) for group, lines in groups.items() if lines))


def outdated(story: Story, told: Iterable[Told]) -> int:
    """How many notifications say of an alert what had not been so for a while, though their receiver had not
    failed. A node of an Alertmanager cluster that has waited for its turn sends what it held before it."""
    found = 0
    failed: set[tuple[str, str]] = set()
    for one in told:
        place = one.hook, one.group
        if place not in failed:
            found += any(
                {fires(story, name[0], int(name[1:]), one.at - ago) for ago in (0.0, LATE / 2, LATE)}
                == {status != "firing"}
                for name, status in one.alerts
            )
        (failed.discard if one.answer == "200" else failed.add)(place)
    return found


def _without_repeated_ends(lines: list[Line]) -> list[Line]:
    """After a reload Alertmanager tells again what was told to be resolved; we do not, on purpose."""
    kept: list[Line] = []
    ended: set[str] = set()
    for line in lines:
        _, reason, alerts, _, _ = line
        resolved = {name for name, status in alerts if status == "resolved"}
        if reason == "some alerts resolved" and resolved <= ended:
            continue
        ended = (ended | resolved) - {name for name, status in alerts if status == "firing"}
        kept.append(line)
    return kept


LATE: Final = 0.1
"""Seconds after which a notification of what was before is outdated: a turn comes 0.4 s after a timer, and
timers go off a quarter of a second after what happens."""


@dataclass(slots=True)
class Verdict:
    """One story, played until it is clear."""

    story: Story
    ours: set[Sequences] = field(default_factory=set)
    theirs: set[Sequences] = field(default_factory=set)
    plays: int = 0
    disturbed: int = 0
    """Plays that say nothing of a difference: the machine was too busy to tell the story at its times."""
    alike: bool = False
    """Whether both have told the same in some play, whatever disturbed it."""
    theirs_outdated: int = 0
    """Plays, not disturbed, in which the Alertmanagers sent more that was outdated than we did."""

    @property
    def different(self) -> bool:
        """Whether each side has told the same in every play, and not what the other has: no chance in it."""
        return (
            not self.alike
            and not self.explained
            and self.plays - self.disturbed >= ENOUGH
            and len(self.ours) == len(self.theirs) == 1
        )

    @property
    def explained(self) -> bool:
        """Whether the Alertmanagers sent what was outdated, and we did not, in every play that counts."""
        undisturbed = self.plays - self.disturbed
        return not self.alike and undisturbed >= ENOUGH and self.theirs_outdated == undisturbed

    @property
    def open(self) -> bool:
        """Whether another play may make it clear."""
        return not (self.alike or self.explained or self.different) and self.plays < MOST

    def add(self, record: Record, lateness: float) -> None:
        """Another play."""
        self.plays += 1
        seed = self.story.seed
        if not record:
            self.disturbed += 1
            return
        ours = sequences(self.story, record["ours"][seed])
        theirs = sequences(self.story, record["theirs"][seed])
        if lateness > LATEST:
            self.disturbed += 1
            self.alike = self.alike or ours == theirs
            return
        self.ours.add(ours)
        self.theirs.add(theirs)
        both = (outdated(self.story, record[side][seed]) for side in ("ours", "theirs"))
        self.theirs_outdated += lt(*both)
        self.alike = self.alike or bool(self.ours & self.theirs)

    def __str__(self) -> str:
        parts = [str(self.story)]
        for name, side in (("ours", self.ours), ("theirs", self.theirs)):
            for number, one in enumerate(side):
                parts.append(f" {name}, variant {number + 1} of {len(side)}")
                for (hook, group), lines in one:
                    parts.append(f"   {hook} {group}")
                    parts += [
                        f"     {answer} {status}, {reason}: {' '.join(f'{n}-{s}' for n, s in alerts)}"
                        for status, reason, alerts, _, answer in lines
                    ]
        return "\n".join(parts)


async def judge(
    stories: Sequence[Story],
    setting: Setting,
    *,
    side_by_side: int = 3,
    together: int = TOGETHER,
    seconds: float = inf,
    plays: int = MOST,
) -> list[Verdict]:
    """Play them until both sides have told the same once, or it is clear that they do not. Some may stay
    unclear. No play begins after so many ``seconds``, and of none more than so many ``plays``."""
    verdicts = [Verdict(story) for story in stories]
    end = time.monotonic() + seconds
    while (
        open_ := [each for each in verdicts if each.open and each.plays < plays]
    ) and time.monotonic() < end:
        await play_once(open_, setting, side_by_side=side_by_side, together=together)
    await confirm(verdicts, setting, side_by_side=side_by_side)
    return verdicts


async def confirm(verdicts: Iterable[Verdict], setting: Setting, *, side_by_side: int = 1) -> None:
    """Play what differs again, each story by itself. A group that is flushed as its first alert comes (it has
    fired for long) has its timers at the halves of a second at which things happen; what is first then is a
    matter of milliseconds, which among dozens of stories may fall out the same way in every play."""
    suspects = list(verdicts)
    for _ in range(ENOUGH):
        suspects = [verdict for verdict in suspects if verdict.different]
        if suspects:
            await play_once(suspects, setting, side_by_side=side_by_side, together=1)


async def play_once(
    verdicts: Sequence[Verdict], setting: Setting, *, side_by_side: int = 1, together: int = TOGETHER
) -> list[float]:
    """One more play of each, ``side_by_side`` batches of ``together`` at a time. For each batch, by how many
    seconds an event came late at most: infinite where the play was cut off."""
    room = asyncio.Semaphore(side_by_side)

    async def once(batch: list[Verdict]) -> float:
        async with room:
            try:
                record, lateness = await play([each.story for each in batch], setting)
            except (httpx.TransportError, OSError, AssertionError) as error:  # too busy, or a port was taken
                why = f"{error!r}"
                print(f"a play was cut off: {why[:200]} … {why[200:][-600:]}", file=sys.stderr, flush=True)
                record, lateness = {}, inf
        for each in batch:
            each.add(record, lateness)
        return lateness

    return await asyncio.gather(*(once(batch) for batch in _batches(verdicts, together)))


def _batches(verdicts: Sequence[Verdict], together: int) -> list[list[Verdict]]:
    """What is played by the same processes. A reload, and a restart, is the whole process's: so stories with
    and without one are not played together."""
    batches: list[list[Verdict]] = []
    for kind in ((False, False), (True, False), (False, True)):
        alike = [each for each in verdicts if (bool(each.story.reload_at), each.story.restarts) == kind]
        seeds: list[list[Verdict]] = [[]]
        for each in alike:
            if len(seeds[-1]) >= together or any(one.story.seed == each.story.seed for one in seeds[-1]):
                seeds.append([])
            seeds[-1].append(each)
        batches += [one for one in seeds if one]
    return batches


Judge: TypeAlias = Callable[[Sequence[Story]], Awaitable[list[Verdict]]]


async def minimised(verdict: Verdict, judged: Judge, *, rounds: int = ROUNDS) -> Verdict:
    """The story with as few events as show the difference, found in so many rounds at most. A round plays all
    that is shorter side by side: without each half of the events, each quarter, and so on to each event."""
    best, seed = verdict, verdict.story.seed
    tried: set[Story] = set()
    more: list[Story] = []
    for _ in range(rounds):
        shorter = [story for story in dict.fromkeys([*more, *_shorter(best.story)]) if story not in tried]
        if not shorter:
            break
        tried.update(shorter)
        places = {seed * 1000 + place: story for place, story in enumerate(shorter)}
        verdicts = await judged([replace(story, seed=number) for number, story in places.items()])
        found = [each for each in verdicts if each.different]
        if not found:
            break
        for each in found:
            each.story = places[each.story.seed]
        # What may go by itself may often go together.
        may_go = {event for each in found for event in best.story.events if event not in each.story.events}
        kept = tuple(event for event in best.story.events if event not in may_go)
        best = min(found, key=_size)
        more = [replace(best.story, events=kept)] if kept else []
    return best


def _size(verdict: Verdict) -> tuple[int, int]:
    return len(verdict.story.events), len(str(verdict.story))


def _shorter(story: Story) -> Iterator[Story]:
    events, step = story.events, len(story.events)
    while step > 1:
        step = (step + 1) // 2
        for first in range(0, len(events), step):
            if rest := events[:first] + events[first + step :]:
                yield replace(story, events=rest)
    plain = (
        replace(story, hooks=story.hooks[:1]),
        replace(story, hooks=tuple(Hook(hook.send_resolved) for hook in story.hooks)),
        replace(story, child="", child_group_by=None),
        replace(story, inhibits=False),
        replace(story, interval=""),
    )
    yield from (one for one in plain if one != story)
