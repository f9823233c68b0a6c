"""The machine of a node in shadow: what it would have sent, compared with what the others log.

It is the notification log of that node's own alert flow: what the flow withholds is taken for sent, so that
the next decision goes out from it, and the others' log is read for comparison only. Where both sides
have notified the same, the flow goes on from the others' entry. A group that has not been compared yet goes
out from what the log says.

Sides are compared for each group at each integration, by the alerts that fire and that have ended (the log
has their hashes). A notification waits for one of the other side with the same alerts. If none comes in time,
it is late if the other side has sent all of it in other notifications, and else missing or extra. A reminder
has nothing new, so that no other notification counts for it, unless the other side had something new at about
that time.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from itertools import chain
from typing import Final

from tocsin.alerting.config import AlertmanagerConfig
from tocsin.alerting.decisions import Decision, Muted, Withheld
from tocsin.alerting.effects import FlushFinished
from tocsin.alerting.integration import integrations
from tocsin.alerting.nflog import Entry, LogReader, Receiver, ReceiverData, entry_key, next_entry
from tocsin.alerting.shadow import texts
from tocsin.alerting.shadow.compared import Compared, Recents, size_of
from tocsin.alerting.shadow.model import Judgement, Notice, Result, ShadowStatistics, Text
from tocsin.alerting.shadow.results import MAX_DIFFERENCES, Results
from tocsin.alerting.shadow.texts import Groups
from tocsin.alerting.timestamp import SECOND, ZERO, Nanoseconds
from tocsin.bounded import Timers

SLACK: Final = 5 * SECOND
"""For sending, gossip and clocks: on top of the group's interval and the others' waits for each other."""
MAX_PENDING: Final = 8_192
MAX_PENDING_ALERTS: Final = 250_000
"""Notifications that wait for the other side's, and alerts in them: past it the oldest is not compared."""
MAX_TRACKED: Final = 65_536
"""Groups at integrations that are followed; past it the one that was first is forgotten: when it comes
again, it goes out from what the log says."""
MAX_TRACKED_BYTES: Final = 64 << 20
"""Of the entries by which they are followed, about; past it they are forgotten too."""
MAX_ENTRY_REST: Final = 4096
"""Bytes of an entry of others apart from its alerts; one with more is not compared."""
BATCH: Final = 64
"""Judgements of one ``handle_timeout``."""
BATCH_ALERTS: Final = 20_000
"""Alerts that are compared for them, after which the rest waits for the next."""


class Shadow:
    """One for each node, whatever is reloaded. ``log``: the notification log, which has the others' entries
    only. Implements :class:`~tocsin.alerting.nflog.LogReader` for the node's own alert flow."""

    def __init__(
        self,
        log: LogReader,
        *,
        peer_timeout: Nanoseconds,
        max_pending: int = MAX_PENDING,
        max_pending_alerts: int = MAX_PENDING_ALERTS,
        max_tracked: int = MAX_TRACKED,
        max_differences: int = MAX_DIFFERENCES,
    ) -> None:
        self.statistics = ShadowStatistics()
        self.since: Nanoseconds = 0
        """From when on is compared; 0: not yet."""
        self.results = Results(self.statistics, max_differences)
        self._log = log
        self._peer_timeout = peer_timeout
        self._others = 0
        self._max_pending = max_pending
        self._max_pending_alerts = max_pending_alerts
        self._max_places = max_tracked
        self._routes: tuple[tuple[str, str, Nanoseconds], ...] = ()
        self._integrations: frozenset[Receiver] = frozenset()
        self._compared: dict[Hashable, Compared] = {}
        self._pending: dict[Notice, Compared] = {}  # the oldest first
        self._alerts = 0  # in them
        self._recents = Recents()
        self._tracked_bytes = 0
        self._timers: Timers[Notice, Nanoseconds] = Timers()
        self._seen = Groups(max_tracked)
        self._effects: list[Judgement] = []

    # -- the log of our own alert flow (LogReader)

    def query(self, receiver: Receiver, group_key: str) -> Entry | None:
        """The last notification by which we decide."""
        compared = self._compared.get(entry_key(receiver, group_key))
        return compared.base if compared is not None else self._log.query(receiver, group_key)

    def stage(
        self,
        receiver: Receiver,
        group_key: str,
        firing: Iterable[int],
        resolved: Iterable[int],
        now: Nanoseconds,
        expiry_ns: Nanoseconds,
        previous: Entry | None,
        *,
        receiver_data: ReceiverData | None = None,
    ) -> Entry:
        """The entry that nobody gets to see, so it is not encoded."""
        key = entry_key(receiver, group_key)
        last = previous.timestamp if previous is not None else ZERO
        return next_entry(key, firing, resolved, now, expiry_ns, last, receiver_data)

    # -- what there is

    @property
    def allowance(self) -> Nanoseconds:
        """On top of a group's interval: within both together notifications agree."""
        return self._others * self._peer_timeout + SLACK

    def begin(self, now: Nanoseconds) -> None:
        """The log is as the others have it: compare from now on."""
        self.since = self.since or now

    def members(self, others: int) -> None:
        """How many other members there are. Without any nothing is compared."""
        self._others = others
        if not others:
            self._let_go("alone", list(self._pending))

    def configured(self, config: AlertmanagerConfig, *, changed: bool) -> None:
        """The configuration in force. If it has ``changed``, groups that the others see otherwise go out from
        what the log says."""
        self._routes = tuple(
            [
                (route.options.receiver, f"{route.key}:", route.options.group_interval)
                for route in config.route.walk()
            ]
        )
        self._integrations = frozenset(
            [each.log_receiver for receiver in config.receivers for each in integrations(receiver)]
        )
        if changed:
            for compared in self._compared.values():
                if not (compared.ours or compared.theirs):
                    self._recents.forget(compared)
                    self._tracked_bytes -= compared.size
            self._compared = {
                key: compared for key, compared in self._compared.items() if compared.ours or compared.theirs
            }

    # -- what happens

    def decided(self, decided: Sequence[Decision | FlushFinished], now: Nanoseconds) -> list[Entry]:
        """Our own alert flow has decided something. The entries that it need not remember any more."""
        imagined: list[Entry] = []
        for each in decided:
            match each:
                case Withheld(entry=entry):
                    self._would_send(each, now)
                    imagined.append(entry)
                case Muted():
                    self._seen.flushed(each.flush, each)
                case FlushFinished(flush=flush):
                    self._seen.flushed(flush)
                case _:
                    pass
        return imagined

    def _would_send(self, decision: Withheld, now: Nanoseconds) -> None:
        entry, flush = decision.entry, decision.flush
        compared = self._compared_at(entry.key, self._log.query(entry.receiver, flush.group_key))
        before, compared.base = compared.base, entry
        compared.interval = flush.options.group_interval
        self._weigh(compared)
        notice = _notice(entry, before, flush.now, self._within(compared.interval))
        notice.flush, notice.reason = flush, decision.reason
        self._compare(compared, notice, now)

    def heard(self, entry: Entry, previous: Entry | None, now: Nanoseconds) -> None:
        """An entry of the others came and replaced ``previous``."""
        if not self.since:
            return
        alerts = len(entry.firing_alerts) + len(entry.resolved_alerts)
        if len(entry.encoded) > MAX_ENTRY_REST + 11 * alerts:  # An alert takes ten, and a field its tag.
            self.statistics.not_compared["too long a key"] += 1
            return
        compared = self._compared_at(entry.key, previous)
        before, compared.logged = compared.logged, entry
        self._weigh(compared)
        if entry.timestamp < self.since:
            compared.base = entry
            return
        interval = compared.interval or self._interval(entry)
        notice = _notice(entry, before, entry.timestamp, self._within(interval))
        if (
            entry.timestamp + notice.within < now
        ):  # It has been under way for long: a partition, or a restart.
            self.statistics.not_compared["heard too late"] += 1
            compared.base = entry
            return
        self._compare(compared, notice, now)

    def _compared_at(self, key: Hashable, base: Entry | None) -> Compared:
        compared = self._compared.get(key)
        if compared is None:
            if len(self._compared) >= self._max_places:
                self._forget_oldest()
            compared = self._compared[key] = Compared(base, base)
        return compared

    def _forget_oldest(self) -> None:
        oldest = self._compared.pop(next(iter(self._compared)))
        self._let_go("too many groups", [*oldest.ours, *oldest.theirs])
        self._recents.forget(oldest)
        self._tracked_bytes -= oldest.size
        self.statistics.groups_forgotten += 1

    def _weigh(self, compared: Compared) -> None:
        self._tracked_bytes -= compared.size
        compared.size = size_of(compared.base) + (
            size_of(compared.logged) if compared.logged is not compared.base else 0
        )
        self._tracked_bytes += compared.size
        while self._tracked_bytes > MAX_TRACKED_BYTES and next(iter(self._compared.values())) is not compared:
            self._forget_oldest()

    def _within(self, interval: Nanoseconds) -> Nanoseconds:
        """How far apart they may be to be compared. A group is flushed once in an interval; what fails is
        tried for one more."""
        return 2 * interval + self.allowance

    def _interval(self, entry: Entry) -> Nanoseconds:
        """The group interval of the route that an entry is of; 0: there is no such route or receiver here."""
        if entry.receiver not in self._integrations:
            return 0
        key = entry.group_key.decode("utf-8", "surrogatepass")
        return max(
            [
                interval
                for receiver, prefix, interval in self._routes
                if receiver == entry.receiver.group_name and key.startswith(prefix)
            ],
            default=0,
        )

    # -- comparing

    def _compare(self, compared: Compared, notice: Notice, now: Nanoseconds) -> None:
        for other in compared.across(notice):
            if notice.is_near(other) and notice.is_equivalent(other):
                self._close(other)
                self._recents.add(compared, other)
                self._recents.add(compared, notice)
                other.partner_at, notice.partner_at = notice.at, other.at
                ours, theirs = (notice, other) if notice.is_ours else (other, notice)
                if compared.base is ours.entry:
                    compared.base = theirs.entry
                self._agree(compared, ours, theirs, now)
                return
        if not self._others:
            self.statistics.not_compared["alone"] += 1
            return
        compared.side(notice).append(notice)
        self._pending[notice] = compared
        self._alerts += notice.size
        self._timers.set(notice, now + notice.within)
        while len(self._pending) > self._max_pending or self._alerts > self._max_pending_alerts:
            self._let_go("too many pending", [next(iter(self._pending))])
        self.statistics.pending = len(self._pending)

    def _close(self, notice: Notice) -> Compared:
        compared = self._pending.pop(notice)
        compared.side(notice).remove(notice)
        self._alerts -= notice.size
        self._timers.cancel(notice)
        self.statistics.pending = len(self._pending)
        return compared

    def _let_go(self, why: str, notices: Iterable[Notice]) -> None:
        for notice in notices:
            self._close(notice)
            self.statistics.not_compared[why] += 1

    def _agree(self, compared: Compared, ours: Notice, theirs: Notice, now: Nanoseconds) -> None:
        apart = abs(ours.at - theirs.at)
        bound = compared.interval + self.allowance
        if apart <= bound:
            self._judge("agreed", ours, now, theirs.at, Text(why=""))
        else:
            side = "later" if theirs.at > ours.at else "earlier"
            why = f"they notified it {apart // SECOND} s {side}, where {bound // SECOND} s are the bound"
            self._judge("late", ours, now, theirs.at, Text(why=why))

    def _overdue(self, notice: Notice, now: Nanoseconds) -> int:
        """The other side has not notified the same in time. How many alerts were compared for that."""
        compared = self._close(notice)
        self._recents.add(compared, notice)
        near = [
            each
            for each in chain(compared.across(notice), compared.recent)
            if each.is_ours is not notice.is_ours and notice.is_near(each)
        ]
        count = notice.size + sum([each.size for each in near])
        firing = notice.firing.difference(*[each.firing for each in near])
        resolved = notice.resolved.difference(*[each.resolved for each in near])
        nearest = min(near, key=lambda each: abs(each.at - notice.at), default=None)
        across = nearest.at if nearest is not None else None
        if notice.is_new:
            otherwise = bool(near) and not firing and not resolved
        else:
            bound = compared.interval + self.allowance
            otherwise = any(notice.is_overtaken_by(each, bound) for each in near)
        if otherwise:
            whose = "they notified" if notice.is_ours else "this node would have notified"
            text = Text(why=f"{whose} the same, put together otherwise")
            self._judge("late", notice, now, across, text)
            return count
        lacking = [(one, True) for one in sorted(firing)] + [(one, False) for one in sorted(resolved)]
        if notice.is_ours:
            self._judge("missing", notice, now, across, texts.not_theirs(notice, lacking, nearest))
            return count
        entry = notice.entry
        name, key = entry.receiver.group_name, entry.group_key.decode("utf-8", "surrogatepass")
        why = texts.not_ours(lacking, nearest, self._seen.get((name, key)), self._no_route(entry, compared))
        self._judge("extra", notice, now, across, why)
        return count

    def _no_route(self, entry: Entry, compared: Compared) -> str:
        receiver = entry.receiver
        name = texts.short(f"{receiver.group_name}/{receiver.integration}[{receiver.index}]")
        if receiver not in self._integrations:
            return f"this node's configuration has no {name}"
        if not compared.interval and not self._interval(entry):
            key = texts.short(entry.group_key.decode("utf-8", "surrogatepass"))
            return f"no route of this node's configuration leads the group {key} to {receiver.group_name}"
        return ""

    def _judge(
        self, result: Result, notice: Notice, now: Nanoseconds, across: Nanoseconds | None, text: Text
    ) -> None:
        integration, key = notice.compared
        judgement = Judgement(
            result=result,
            receiver=texts.short(notice.entry.receiver.group_name),
            integration=texts.short(integration),
            group_key=texts.short(key, texts.MAX_KEY),
            at=now,
            ours=notice.at if notice.is_ours else across,
            theirs=across if notice.is_ours else notice.at,
            firing=len(notice.firing),
            resolved=len(notice.resolved),
            why=text.why,
            alerts=text.alerts,
            more=text.more,
        )
        self.results.add(judgement, is_ours=notice.is_ours)
        if result != "agreed":
            self._effects.append(judgement)

    # -- what is known

    def awaits(self, integration: str, group_key: str, began: Nanoseconds) -> bool:
        """Whether our notification of that flush waits for the others'."""
        return any(
            notice.is_ours and notice.at == began and notice.compared == (integration, group_key)
            for notice in list(self._pending)
        )

    # -- time

    def next_timeout(self) -> Nanoseconds | None:
        """When ``handle_timeout`` is to be called next."""
        return self._timers.next_timeout()

    def handle_timeout(self, now: Nanoseconds) -> None:
        """Judge what has waited long enough, or the first of it if it is much."""
        compared = 0
        for _ in range(BATCH):
            due = self._timers.pop_due(now) if compared < BATCH_ALERTS else None
            if due is None:
                return
            compared += self._overdue(due, now)

    def drain(self) -> list[Judgement]:
        """The differences since the last call, those that are late too."""
        effects, self._effects = self._effects, []
        return effects


def _notice(entry: Entry, before: Entry | None, at: Nanoseconds, within: Nanoseconds) -> Notice:
    firing, resolved = frozenset(entry.firing_alerts), frozenset(entry.resolved_alerts)
    is_new = before is None or not (
        firing.issubset(before.firing_alerts) and resolved.issubset(before.resolved_alerts)
    )
    return Notice(entry=entry, at=at, firing=firing, resolved=resolved, is_new=is_new, within=within)
