"""Which addresses are peers, from answers of sources that change, fail, and come back. No I/O.

The rules, each for a way in which lists of peers go wrong:

* A source is asked again for ever, at an interval with jitter; sooner after a failure. A failure is never
  authoritative, and the last answer of a source holds until it gives another one.
* An answer that lists nobody replaces no list: an emptied zone or a truncated file must not dissolve a
  cluster.
* An address that no source lists any more stays for a grace time, since servers that answer with a part of
  their records alternate. Then it is forgotten.
* What was listed in a previous run counts until every source has answered, once one has failed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import field
from typing import TYPE_CHECKING, Final, TypeAlias

from tocsin.dataclass import dataclass
from tocsin.gossip.address import Address
from tocsin.gossip.discovery.sources import MAX_TARGETS, Answer, File, Source, Target

if TYPE_CHECKING:
    from random import Random

LEAST_LIFETIME: Final = 5.0
MOST_LIFETIME: Final = 60.0
"""A DNS answer's time to live is kept to between these, in seconds."""
FILE_INTERVAL: Final = 2.0
"""Longest interval between two checks of a file, in seconds."""
RETRY: Final = 2.0
"""Seconds from a failure to the next attempt, doubled by each further one up to the interval."""
GRACE_INTERVALS: Final = 4
"""The grace time is so many intervals."""
JITTER: Final = 0.1
"""Every wait is longer or shorter by up to this share."""


@dataclass(frozen=True, slots=True)
class Discovered:
    """An address is listed that was not."""

    target: Target


@dataclass(frozen=True, slots=True)
class Forgotten:
    """An address is not listed any more, and the grace time is over."""

    target: Target


@dataclass(frozen=True, slots=True)
class Renamed:
    """An address that was listed already is now listed by this name: so its certificate should have that."""

    target: Target


@dataclass(frozen=True, slots=True)
class Answered:
    """``source`` gave its first answer; ``sources`` are those it led to."""

    source: Source
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """Query the source, then call :meth:`Discovery.answered` or :meth:`Discovery.failed`."""

    source: Source


DiscoveryEvent: TypeAlias = Discovered | Forgotten | Renamed | Answered
DiscoveryEffect: TypeAlias = Ask | DiscoveryEvent


@dataclass(slots=True)
class DiscoveryStatistics:
    """Counters; the gauges are marked."""

    resolutions: int = 0
    """Answers and failures."""
    failures: Counter[str] = field(default_factory=Counter)
    """By the kind of source: "name", "service", "file"."""
    empty_answers: int = 0
    """Answers that listed nobody."""
    targets: int = 0
    """Gauge: addresses that are peers now, those in their grace time included."""
    fading: int = 0
    """Gauge: of these, addresses in their grace time."""
    sources_failing: int = 0
    """Gauge: sources whose last attempt failed; what they said before holds."""
    restored: int = 0
    """Gauge: addresses that count only because they were listed in a previous run."""
    forgotten: int = 0
    targets_refused: int = 0
    """Addresses and entries past a bound, each time they come."""


@dataclass(slots=True)
class _Watched:
    answer: Answer | None = None
    due: float | None = None
    """None while it is being asked."""
    failures: int = 0


class Discovery:
    """Which sources are to be asked, and which addresses are peers by what they answer.

    ``interval`` in seconds between two questions to a source. ``restored`` is :attr:`lasting` of an earlier
    life.
    """

    def __init__(
        self,
        roots: Iterable[Source],
        *,
        interval: float,
        random: Random,
        now: float,
        restored: Iterable[Target] = (),
        max_targets: int = MAX_TARGETS,
    ) -> None:
        self.statistics: DiscoveryStatistics = DiscoveryStatistics()
        self.grace: float = GRACE_INTERVALS * interval
        self.dirty: bool = False
        """:attr:`lasting` changed; whoever persists it resets this."""
        self._interval = interval
        self._random = random
        self._roots = tuple(dict.fromkeys(roots))
        self._watched: dict[Source, _Watched] = {root: _Watched(due=now) for root in self._roots}
        self._restored = tuple(restored)[:max_targets]
        self._max_targets = max_targets
        self._listed: dict[Address, Target] = {}
        self._fading: dict[Address, tuple[float, Target]] = {}
        self._events: list[DiscoveryEffect] = []

    # -- views

    @property
    def roots(self) -> tuple[Source, ...]:
        """The sources that were given."""
        return self._roots

    @property
    def targets(self) -> list[Target]:
        """The peers of now, in a steady order; those in their grace time last."""
        return [*self._listed.values(), *(target for _, target in self._fading.values())]

    @property
    def lasting(self) -> list[Target]:
        """What is worth keeping for the next run."""
        return list(self._listed.values())

    @property
    def complete(self) -> bool:
        """Every source has answered at least once."""
        return all(one.answer is not None for one in self._watched.values())

    def lists(self, address: Address) -> bool:
        """Whether the address is a peer's now."""
        return address in self._listed or address in self._fading

    def host(self, address: Address) -> str:
        """The name by which the address was found; empty when there is none."""
        if (target := self._listed.get(address)) is not None:
            return target.host
        fading = self._fading.get(address)
        return fading[1].host if fading is not None else ""

    # -- time

    def next_timeout(self) -> float | None:
        """When something is due, or None."""
        due = [one.due for one in self._watched.values() if one.due is not None]
        due += [when for when, _ in self._fading.values()]
        return min(due, default=None)

    def handle_timeout(self, now: float) -> None:
        """Ask the sources that are due, and forget what has been unlisted for the grace time."""
        for source, one in self._watched.items():
            if one.due is not None and one.due <= now:
                one.due = None  # Until its outcome is reported.
                self._events.append(Ask(source))
        for address in [address for address, (when, _) in self._fading.items() if when <= now]:
            _, target = self._fading.pop(address)
            self.statistics.forgotten += 1
            self._events.append(Forgotten(target))
        self._gauge()

    def drain(self) -> list[DiscoveryEffect]:
        """What is to be asked and what happened, in order; handed out once."""
        events, self._events = self._events, []
        return events

    # -- outcomes

    def answered(self, source: Source, answer: Answer, now: float) -> None:
        """A source answered. One that is not watched any more is not listened to."""
        one = self._watched.get(source)
        if one is None:
            return
        self.statistics.resolutions += 1
        first, one.failures = one.answer is None, 0
        self.statistics.targets_refused += answer.refused
        if answer.empty:
            self.statistics.empty_answers += 1
        if first or not answer.empty:
            one.answer = answer
        one.due = now + self._wait(source, answer.lifetime)
        self._watch(now)
        if first:
            self._events.append(Answered(source, answer.sources))
        self._relist(now)

    def failed(self, source: Source, now: float) -> None:
        """A source could not be asked, or made no sense."""
        one = self._watched.get(source)
        if one is None:
            return
        self.statistics.resolutions += 1
        self.statistics.failures[type(source).__name__.lower()] += 1
        one.failures += 1
        retry = min(RETRY * 2 ** min(one.failures - 1, 16), self._interval)
        one.due = now + self._jittered(retry)
        self._relist(now)

    # -- within

    def _wait(self, source: Source, lifetime: float | None) -> float:
        if isinstance(source, File):
            return self._jittered(min(FILE_INTERVAL, self._interval))
        if lifetime is None:
            return self._jittered(self._interval)
        return self._jittered(min(max(lifetime, LEAST_LIFETIME), MOST_LIFETIME))

    def _jittered(self, seconds: float) -> float:
        return seconds * self._random.uniform(1 - JITTER, 1 + JITTER)

    def _watch(self, now: float) -> None:
        """Watch what the answers lead to, and that alone; a source that lists itself changes nothing."""
        wanted = dict.fromkeys(self._roots)
        pending = list(self._roots)
        while pending:
            one = self._watched.get(pending.pop())
            for child in one.answer.sources if one is not None and one.answer is not None else ():
                if child not in wanted:
                    wanted[child] = None
                    pending.append(child)
        self._watched = {source: self._watched.get(source) or _Watched(due=now) for source in wanted}

    def _relist(self, now: float) -> None:
        listed: dict[Address, Target] = {}
        answered = [one.answer for one in self._watched.values() if one.answer is not None]
        for target in [target for answer in answered for target in answer.targets]:
            self._list(listed, target)
        found = len(listed)
        if self.complete:
            self._restored = ()
        elif any(one.answer is None and one.failures for one in self._watched.values()):
            for target in self._restored:
                self._list(listed, target)
        self.statistics.restored = len(listed) - found
        for address, target in self._listed.items():
            if address not in listed:
                self._fading[address] = (now + self.grace, target)
        for address, target in listed.items():
            _, faded = self._fading.pop(address, (now, None))
            known = self._listed.get(address, faded)
            if known is None:
                self._events.append(Discovered(target))
            elif known.host != target.host:
                self._events.append(Renamed(target))
        if listed and listed != self._listed:
            self.dirty = True
        self._listed = listed
        self._gauge()

    def _list(self, listed: dict[Address, Target], target: Target) -> None:
        known = listed.get(target.address)
        if known is None and len(listed) >= self._max_targets:
            self.statistics.targets_refused += 1
        elif known is None or not known.host:
            listed[target.address] = target

    def _gauge(self) -> None:
        statistics = self.statistics
        statistics.fading = len(self._fading)
        statistics.targets = len(self._listed) + len(self._fading)
        statistics.sources_failing = sum(one.failures > 0 for one in self._watched.values())
