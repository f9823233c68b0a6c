"""Follows flushes by the decisions about them, and keeps those as they are: they become a record when
somebody wants one, on whatever thread, so that little is done while a notification is on its way.

A flush that is under way is recorded each time that one of its integrations has come to an end, so that a
node that dies in the middle of a long series of attempts leaves behind what it had done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field
from itertools import islice
from typing import TYPE_CHECKING, Final

from tocsin.alerting.decisions import Decision, GivenUp, NotNeeded, Sent, TooLate, Withheld
from tocsin.alerting.effects import FlushFinished
from tocsin.alerting.group import Flush
from tocsin.alerting.openflushes import MAX_OPEN, OpenFlushes
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass

if TYPE_CHECKING:
    from tocsin.alerting.record.model import FlushRecord

MAX_DECISIONS: Final = 64
"""Decisions that are kept of one flush; more are put into its record, which is bounded."""
ENDS: Final = (Sent, NotNeeded, GivenUp, TooLate, Withheld)


@dataclass(frozen=True, slots=True)
class Raw:
    """A flush and the first ``count`` of its ``decisions``, which may become more. ``end``: its end and when
    that was; None: it goes on. ``number``: what the record is kept under."""

    number: int
    flush: Flush
    base: FlushRecord | None
    """What was decided before, if there was much of it."""
    node: str
    decisions: list[Decision]
    count: int
    end: tuple[FlushFinished, Nanoseconds] | None = None

    @property
    def size(self) -> int:
        """How many alerts it holds."""
        return len(self.flush.alerts)

    @property
    def is_whole(self) -> bool:
        """Whether the flush has ended."""
        return self.end is not None

    @property
    def group(self) -> tuple[str, str]:
        """The receiver and the group key."""
        return self.flush.options.receiver, self.flush.group_key

    def record(self) -> FlushRecord:
        """Make the record. What makes records is loaded with the first."""
        from tocsin.alerting.record.making import add, begun, copied, end

        found = begun(self.flush, self.node) if self.base is None else copied(self.base)
        add(found, islice(self.decisions, self.count))
        if self.end is not None:
            effect, at = self.end
            end(found, at, success=effect.success, error=effect.error)
        return found


@dataclass(eq=False, slots=True)
class _Draft:
    flush: Flush
    node: str
    number: int = 0
    """From the first time on that it is recorded: a later number is a newer record."""
    base: FlushRecord | None = None
    decisions: list[Decision] = field(default_factory=list)

    def raw(self, end: tuple[FlushFinished, Nanoseconds] | None = None) -> Raw:
        decisions = self.decisions
        return Raw(self.number, self.flush, self.base, self.node, decisions, len(decisions), end)

    def take(self, decision: Decision) -> None:
        if len(self.decisions) >= MAX_DECISIONS:
            self.base, self.decisions = self.raw().record(), []  # a list of its own: others hold the old one
        self.decisions.append(decision)


class Recorder:
    """Follows the flushes of one configuration. ``node`` is this node's name in the cluster; ``number`` gives
    each record what it is kept under."""

    def __init__(self, node: str = "", *, number: Callable[[], int], max_open: int = MAX_OPEN) -> None:
        self._number = number
        self._drafts = OpenFlushes(lambda flush: _Draft(flush, node), max_open)
        self.take_forgotten = self._drafts.take_forgotten
        """How many flushes past the bound were not followed to their end, since the last call."""

    def __len__(self) -> int:
        return len(self._drafts)

    def open(self) -> list[Raw]:
        """The flushes that have not ended."""
        return [draft.raw() for draft in self._drafts.notes()]

    def take(self, decided: Iterable[Decision | FlushFinished], now: Nanoseconds) -> list[Raw]:
        """Take in what was decided at once. Returns the flushes that ended by it or of which an integration
        did, each once."""
        drafts = self._drafts
        found: dict[_Draft, tuple[FlushFinished, Nanoseconds] | None] = {}
        for each in decided:
            draft = drafts.of(each.flush)
            if isinstance(each, FlushFinished):
                drafts.end(each.flush)
                found[draft] = (each, now)
            else:
                draft.take(each)
                if isinstance(each, ENDS):
                    found[draft] = None
        return [self._raw(draft, end) for draft, end in found.items()]

    def _raw(self, draft: _Draft, end: tuple[FlushFinished, Nanoseconds] | None) -> Raw:
        draft.number = draft.number or self._number()
        return draft.raw(end)
