"""What the log has of a group at an integration, compared with what a flush would notify. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from tocsin.alerting.alert import Alert
from tocsin.alerting.decisions import NotNeededReason
from tocsin.alerting.nflog import Entry, LogKey
from tocsin.alerting.notification import Reason
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.alerting.unknownalerts import UnknownAlerts

KEEP_UNKNOWN = 600 * SECOND
"""How recent an entry must be, by either's clock, for what it says of alerts that we do not know."""
MAX_UNKNOWN = 256
"""How many of them, firing and resolved each, are kept at most: the latest added."""
CLOCKS_APART = 300 * SECOND
"""How much the clocks of nodes and clients may differ before an alert that reached us late is sent twice."""


def hashes(alerts: Sequence[Alert], now: Nanoseconds) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The log's numbers of the alerts that are firing and of those that are resolved."""
    firing: list[int] = []
    resolved: list[int] = []
    for alert in alerts:
        (resolved if alert.resolved_at(now) else firing).append(alert.labels.hash)
    return tuple(firing), tuple(resolved)


def unknown_hashes(
    hashes: Iterable[int], entry: Entry, key: LogKey, known: Sequence[Alert], unknown: UnknownAlerts
) -> list[int]:
    """Which of ``hashes``, of the log's entry, are of alerts that the group neither holds (``known``) nor saw
    end."""
    held, stamp = {alert.labels.hash for alert in known}, entry.timestamp
    return [one for one in hashes if one not in held and not unknown.is_over(key, one, stamp)]


def also_notified(
    entry: Entry | None,
    key: LogKey,
    known: Sequence[Alert],
    unknown: UnknownAlerts,
    *,
    now: Nanoseconds,
    sent: Nanoseconds,
    group_interval: Nanoseconds,
) -> tuple[Sequence[int], Sequence[int]]:
    """What fires and what is resolved by the log's entry, and we do not know: to be kept in the next entry.

    Alerts do not reach all nodes at the same time. If our entry left out what another node has just notified
    and we are still to hear of, that node would soon notify it again, and then we ours. Only of a recent
    entry, and only so many: what nobody knows any more is to be forgotten. Muted alerts are known, and left
    out as upstream; what fires by the entry and ended here is over, and may fire anew. ``sent``: when the
    entry's notification was, as far as is known.
    """
    if entry is None or abs(now - sent) > max(KEEP_UNKNOWN, 2 * group_interval):
        return (), ()
    firing = unknown_hashes(entry.firing_alerts, entry, key, known, unknown)
    held = {alert.labels.hash for alert in known}
    resolved = [one for one in entry.resolved_alerts if one not in held]
    return firing[-MAX_UNKNOWN:], resolved[-MAX_UNKNOWN:]


def as_of_flush(
    entry: Entry,
    flushed: tuple[Collection[int], Collection[int]],
    firing: Sequence[int],
    resolved: Sequence[int],
) -> tuple[Sequence[int], Sequence[int]]:
    """What of ``firing`` and ``resolved``, chosen after the flush, may be a need to notify.

    What has begun or ended since the flush is for the next one: else a node that waited for its peer position
    would notify it at once, and ``group_interval`` would hold for the first node only. ``flushed``: what
    fired and what was resolved at the flush. What a peer has notified since is not new, and counts as it was
    notified.
    """
    notified_firing, notified_resolved = set(entry.firing_alerts), set(entry.resolved_alerts)
    was_firing, was_resolved = flushed
    return (
        [
            *(one for one in firing if one in notified_firing or one in was_firing),
            *(one for one in resolved if one in notified_firing and one not in was_resolved),
        ],
        [
            one
            for one in resolved
            if one in was_resolved or (one in notified_resolved and one not in notified_firing)
        ],
    )


def notified_ends(
    entry: Entry | None, key: LogKey, alerts: Sequence[Alert], unknown: UnknownAlerts, at: Nanoseconds
) -> Collection[int]:
    """Which of ``alerts``, as of ``at``, were notified as resolved: those of the entry, and those whose end
    was notified before it.

    Upstream has the entry only. There an end that is reported again (Prometheus does so for a quarter of an
    hour, and a reload does it for all) is notified again if another notification came in between.
    """
    if entry is None:
        return ()
    firing, notified = set(entry.firing_alerts), set(entry.resolved_alerts)
    passed_on = unknown.passed_on(key, entry.timestamp)
    for alert in alerts:
        one = alert.labels.hash
        end = unknown.notified_end(key, one)
        if end is None or not alert.resolved_at(at):
            continue
        if alert.ends_at <= end and one not in firing:
            notified.add(one)
        elif alert.ends_at > passed_on.get(one, alert.ends_at):
            notified.discard(one)  # It has fired anew since.
    return notified


def fire_anew(
    entry: Entry | None, key: LogKey, alerts: Sequence[Alert], firing: Sequence[int], unknown: UnknownAlerts
) -> Collection[int]:
    """Which of ``firing``, of ``alerts``, are to be notified though our own last entry has them as firing.

    That entry took them over from a peer's, while our group did not hold them. A peer that waited for its
    position notifies what it flushed, even if the alert has resolved meanwhile. So if our group has seen the
    alert resolve before, it fires anew. So it does if it began long after we first took it over: this node
    has missed its end, as one that was restarted may have. If neither, the alert only reached us late, and
    the peer notified it. When it began says a client's clock, and when we took it over ours.
    """
    passed_on = unknown.passed_on(key, entry.timestamp) if entry is not None else {}
    if not passed_on:
        return ()
    began = {alert.labels.hash: alert.starts_at for alert in alerts}
    return [
        one
        for one in firing
        if (since := passed_on.get(one)) is not None
        and (unknown.was_over(key, one) or began.get(one, since) > since + CLOCKS_APART)
    ]


def needs_notification(
    entry: Entry | None,
    *,
    firing: Sequence[int],
    resolved: Sequence[int],
    send_resolved: bool,
    repeat_interval: Nanoseconds,
    now: Nanoseconds,
    sent: Nanoseconds | None = None,
    may_still_fire: bool = False,
    notified: Collection[int] | None = None,
    anew: Collection[int] = (),
) -> Reason | None:
    """Why a notification has to be sent, given what was last sent; ``None`` if it has not (wire 4.6).

    ``sent``: when that was, if not at the entry's timestamp. ``may_still_fire``: the entry has an alert as
    firing of which this node has not heard; then not all are resolved that we do not see fire. ``notified``:
    the alerts whose end was notified, if not those of the entry. ``anew``: alerts that did not fire when the
    entry was written, although it has them as firing.
    """
    if entry is None:
        return "first notification" if firing else None
    before = set(entry.firing_alerts).difference(anew)
    if not before.issuperset(firing):
        return "new alerts added" if before else "first notification"
    if not firing:
        # Also without send_resolved: the log has to forget the alerts that were firing.
        if not entry.firing_alerts or (may_still_fire and set(entry.firing_alerts).isdisjoint(resolved)):
            return None
        return "all alerts resolved"
    if send_resolved and not set(entry.resolved_alerts if notified is None else notified).issuperset(
        resolved
    ):
        return "some alerts resolved"
    if (entry.timestamp if sent is None else sent) < now - repeat_interval:
        return "repeat interval elapsed"
    return None


def why_not(entry: Entry | None, firing: Sequence[int]) -> NotNeededReason:
    """Why :func:`needs_notification` said that there is no need."""
    if entry is None:
        return "resolved before it was notified"
    if firing:
        return "already notified"
    if not entry.firing_alerts:
        return "already notified as resolved"
    return "may fire where this node has not heard of it"
