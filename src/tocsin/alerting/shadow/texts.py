"""Says what makes two sides differ: which alerts, and how this node has them. Pure."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import field
from itertools import islice
from typing import Final

from tocsin.alerting.decisions import Muted, MutedAlert
from tocsin.alerting.group import Flush
from tocsin.alerting.shadow.model import Notice, Text
from tocsin.alerting.timestamp import SECOND, Nanoseconds, format_rfc3339
from tocsin.dataclass import dataclass

MAX_NAMED: Final = 10
"""Alerts that are named in one judgement."""
MAX_LABELS: Final = 512
"""Characters of one alert's labels, and of a receiver's name."""
MAX_KEY: Final = 4096
"""Characters of a group key: an entry of others brings any."""
MAX_FLUSHES: Final = 4
"""Flushes of a group that are remembered: as many as there can be until a notification is judged."""
MAX_BYTES: Final = 32 << 20
"""Of what is remembered of all groups, about; past it the one goes that was flushed longest ago."""
ALERT_BYTES: Final = 200
"""Of an alert of a flush: that it is kept, and what muted it."""
FLUSH_BYTES: Final = 512
MAX_MUTED: Final = 256
"""Muted alerts of a flush of which is remembered what muted them."""
_MUTED: Final[Mapping[str, str]] = {
    "silence": "silenced by",
    "mute_time_interval": "muted by the time interval",
    "active_time_interval": "outside of the active time interval",
}


@dataclass(eq=False, slots=True)
class _Flushed:
    flush: Flush
    muted: dict[int, str] = field(default_factory=dict)
    """What muted alerts, by their hashes."""
    text_bytes: int = 0


class Seen:
    """A group as it was at its last flushes here."""

    __slots__ = ("_flushed",)

    def __init__(self) -> None:
        self._flushed: deque[_Flushed] = deque(maxlen=MAX_FLUSHES)

    def of(self, flush: Flush) -> _Flushed:
        """The group is flushed."""
        if not self._flushed or self._flushed[-1].flush is not flush:
            self._flushed.append(_Flushed(flush))
        return self._flushed[-1]

    def mute(self, decision: Muted) -> None:
        """Alerts are left out."""
        flushed = self.of(decision.flush)
        muted = flushed.muted
        texts: dict[tuple[tuple[str, ...], int], str] = {}  # Mostly the same mutes them all.
        for each in islice(decision.alerts, max(MAX_MUTED - len(muted), 0)):
            key = each.by, each.inhibition.number if each.inhibition is not None else -1
            text = texts.get(key)
            if text is None:
                text = texts[key] = _muted_by(decision, each)
                flushed.text_bytes += len(text)
            muted[each.alert.labels.hash] = text

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        alerts = sum([len(each.flush.alerts) for each in self._flushed])
        texts = sum([each.text_bytes for each in self._flushed])
        return FLUSH_BYTES * len(self._flushed) + ALERT_BYTES * alerts + texts

    def describe(self, one: int) -> str:
        """How the group has, or had, the alert of that hash, as text."""
        for each in reversed(self._flushed):
            for alert in each.flush.alerts:
                if alert.labels.hash == one:
                    state = "it has ended here" if alert.resolved_at(each.flush.now) else "it fires here"
                    return f"{short(str(alert.labels))}: {each.muted.get(one, state)}"
        return f"alert {one:016x}: this node does not have it in this group"


class Groups:
    """The groups as they were at their last flushes, by receiver and key."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._groups: OrderedDict[tuple[str, str], tuple[Seen, int]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._groups)

    def get(self, key: tuple[str, str]) -> Seen | None:
        """The group."""
        found = self._groups.get(key)
        return found[0] if found is not None else None

    def flushed(self, flush: Flush, muted: Muted | None = None) -> None:
        """The group is flushed; alerts are left out."""
        key = flush.options.receiver, flush.group_key
        seen, before = self._groups.pop(key, (Seen(), 0))
        if muted is not None:
            seen.mute(muted)
        else:
            seen.of(flush)
        size = seen.size
        self._groups[key] = seen, size
        self._bytes += size - before
        while len(self._groups) > self._most or (self._bytes > MAX_BYTES and len(self._groups) > 1):
            self._bytes -= self._groups.popitem(last=False)[1][1]


def clock(moment: Nanoseconds) -> str:
    """``2027-01-15T08:00:00Z``."""
    return format_rfc3339(moment // SECOND * SECOND)


def not_theirs(notice: Notice, lacking: list[tuple[int, bool]], nearest: Notice | None) -> Text:
    """They did not send ours; ``lacking``: alerts that they have not notified, and whether they fire."""
    flush = notice.flush
    assert flush is not None  # noqa: S101  (for the type checker)
    if not lacking:
        return Text(why=f"{notice.reason or 'resolved alerts'}: nobody has logged a notification")
    known = {alert.labels.hash: str(alert.labels) for alert in flush.alerts}
    named = tuple(
        [
            f"{short(known.get(one, f'alert {one:016x}'))} {'fires' if fires else 'has ended'}"
            for one, fires in lacking[:MAX_NAMED]
        ]
    )
    why = notice.reason or "resolved alerts are not sent, but logged"
    what = (
        f"their notification of {clock(nearest.at)} leaves out"
        if nearest is not None
        else "nobody has notified"
    )
    return Text(why=f"{why}: {what}", alerts=named, more=max(len(lacking) - MAX_NAMED, 0))


def not_ours(
    lacking: list[tuple[int, bool]], nearest: Notice | None, seen: Seen | None, no_route: str
) -> Text:
    """They sent what we would not have; ``lacking``: alerts that we would not have notified."""
    if no_route:
        return Text(why=no_route)
    if not lacking:
        return Text(why="they have notified it again")
    hashes = [one for one, _ in lacking]
    named: tuple[str, ...]
    if seen is None:
        named = tuple([f"alert {one:016x}" for one in hashes[:MAX_NAMED]])
        why = "this node holds no such group"
    else:
        named = tuple([seen.describe(each) for each in hashes[:MAX_NAMED]])
        near = f"this node's notification of {clock(nearest.at)}" if nearest is not None else "this node"
        why = f"{near} does not have"
    return Text(why=why, alerts=named, more=max(len(lacking) - MAX_NAMED, 0))


def _muted_by(decision: Muted, each: MutedAlert) -> str:
    found = each.inhibition
    if found is not None:
        name = f" ({found.rule.name})" if found.rule.name else ""
        return f"inhibited here by {short(str(found.source.labels))}, rule {found.number}{name}"
    return f"{_MUTED.get(decision.reason, decision.reason)} {', '.join(each.by[:8])} here"


def short(text: str, most: int = MAX_LABELS) -> str:
    """Its beginning, if it is longer."""
    return text if len(text) <= most else text[: most - 1] + "…"
