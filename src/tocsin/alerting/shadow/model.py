"""What is compared, and what becomes of it. Plain values; instants and spans are nanoseconds."""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from typing import Final, Literal

from tocsin.alerting.group import Flush
from tocsin.alerting.nflog import Entry
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass

Result = Literal["agreed", "late", "missing", "extra"]
"""Agreed: both notify the same, at about the same time. Late: both do, earlier or later than the bound, or
put together otherwise. Missing: they did not send what this node would have. Extra: they sent what it would
not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a comparison came to."""

    result: Result
    receiver: str
    integration: str
    """``team/webhook[0]``."""
    group_key: str
    at: Nanoseconds
    """When it was judged."""
    ours: Nanoseconds | None
    """When the flush began by which this node would have notified; None: it would not have."""
    theirs: Nanoseconds | None
    """The stamp in the log; None: nobody has notified."""
    firing: int
    resolved: int
    """How many alerts the notification has."""
    why: str = ""
    """For people; empty if they agree."""
    alerts: tuple[str, ...] = ()
    """Which alerts make the difference, and how this node has them; for people."""
    more: int = 0
    """Alerts past the bound of those that are named."""

    @property
    def differs(self) -> bool:
        """Whether a receiver was notified by one side only."""
        return self.result in ("missing", "extra")


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The text of a comparison's result."""

    why: str
    alerts: tuple[str, ...] = ()
    more: int = 0


@dataclass(eq=False, slots=True, kw_only=True)
class Notice:
    """One notification, of one side."""

    entry: Entry
    at: Nanoseconds
    """When: our flush began, or the stamp of the others' entry."""
    firing: frozenset[int]
    resolved: frozenset[int]
    is_new: bool
    """Whether it has anything that the side had not notified before: otherwise it is a reminder."""
    within: Nanoseconds
    """How far from it the other side's may be to be compared at all."""
    flush: Flush | None = None
    """Ours: the flush. None: it is the others'."""
    partner_at: Nanoseconds | None = None
    """When the other side notified the same; None: it has not."""
    reason: str = ""
    """Ours: why it would be sent; empty: only the log would be written."""

    @property
    def is_ours(self) -> bool:
        """Whose it is."""
        return self.flush is not None

    @property
    def compared(self) -> tuple[str, str]:
        """The integration, ``team/webhook[0]``, and the group key."""
        receiver, key = self.entry.receiver, self.entry.group_key.decode("utf-8", "surrogatepass")
        return f"{receiver.group_name}/{receiver.integration}[{receiver.index}]", key

    @property
    def size(self) -> int:
        """How many alerts it has."""
        return len(self.firing) + len(self.resolved)

    def is_equivalent(self, other: Notice) -> bool:
        """Whether both have the same alerts in the same states."""
        return self.firing == other.firing and self.resolved == other.resolved

    def is_overtaken_by(self, other: Notice, bound: Nanoseconds) -> bool:
        """Whether at about that time the other side had something new, which this side notified only later,
        or otherwise: if at all, which then is judged by itself."""
        later = other.partner_at is None or other.partner_at > self.at
        return other.is_new and later and abs(other.at - self.at) <= bound

    def is_near(self, other: Notice) -> bool:
        """Whether they may be compared."""
        return abs(self.at - other.at) <= max(self.within, other.within)


@dataclass(slots=True)
class ShadowStatistics:
    """For the metrics."""

    enabled: int = 1
    pending: int = 0
    """Notifications that wait for the other side's."""
    differences: int = 0
    """Differences that are kept."""
    not_compared: Counter[str] = field(default_factory=Counter)
    """Notifications of either side, by why."""
    differences_forgotten: int = 0
    groups_forgotten: int = 0


GAUGES: Final = ("enabled", "pending", "differences")
