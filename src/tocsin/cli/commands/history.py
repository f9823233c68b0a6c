"""``history``: the notifications, alerts and silences that a node remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Final, TypeVar

from tocsin.cli.asking import ask, moment, say
from tocsin.cli.commandline.invocation import Invocation
from tocsin.cli.commandline.model import NUMBER, Argument, Command, Flag, choice
from tocsin.cli.matching import Words
from tocsin.client import dates
from tocsin.errors import UserError

OUTCOMES: Final = ("sent", "not needed", "given up", "too late", "under way", "would have sent", "muted")
T = TypeVar("T")
Row = tuple[str, ...]


def run_notifications(invocation: Invocation) -> int:
    """Print what became of flushes, newest first."""
    from tocsin.models.history import Notification

    def rows(item: Notification) -> Iterator[Row]:
        at, group = _time(invocation, item.at), _labels(item.group_labels)
        for each in item.muted:
            by = ", ".join(each.by)
            yield (at, item.receiver, "muted", str(each.alerts), group, f"{each.why} {by}".strip())
        for told in item.deliveries:
            alerts = str(told.firing + told.resolved or item.alerts)
            attempts = f", {len(told.attempts)} attempts" if len(told.attempts) > 1 else ""
            by = f" by {told.notified_by}" if told.notified_by else ""
            why = f"{told.why}{by}{attempts}" + (f": {told.error}" if told.error else "")
            yield (at, told.integration, told.outcome, alerts, group, why)

    more = [("outcome", invocation.text("outcome"))] if invocation.text("outcome") else []
    header = ("TIME", "RECEIVER", "OUTCOME", "ALERTS", "GROUP", "WHY")
    return _print(invocation, "/history/notifications", Notification, header, rows, more)


def run_alerts(invocation: Invocation) -> int:
    """Print alerts as they were seen last, newest first."""
    from tocsin.models.history import AlertSeen

    seen: set[tuple[str, str, str]] = set()

    def rows(item: AlertSeen) -> Iterator[Row]:
        key = (item.fingerprint, item.starts_at, item.receiver)
        if key in seen:
            return  # Shown already: its latest flush was on an earlier page.
        seen.add(key)
        muted = [f"{each.why} {', '.join(each.by)}" for each in item.muted]
        yield (
            _time(invocation, item.at),
            "resolved" if item.ends_at else "firing",
            _time(invocation, item.starts_at),
            item.receiver,
            _labels(item.labels) or item.fingerprint,
            "; ".join([*muted, *item.outcome]),
        )

    header = ("SEEN", "STATE", "SINCE", "RECEIVER", "LABELS", "OUTCOME")
    return _print(invocation, "/history/alerts", AlertSeen, header, rows)


def run_silences(invocation: Invocation) -> int:
    """Print silences, those that were changed last first."""
    from tocsin.models.history import SilenceSeen

    def rows(item: SilenceSeen) -> Iterator[Row]:
        yield (
            _time(invocation, item.updated_at),
            item.state,
            item.id,
            _time(invocation, item.ends_at),
            item.created_by,
            ", ".join(item.matchers) + (" or more" if item.more_sets else ""),
            item.comment,
        )

    header = ("CHANGED", "STATE", "ID", "ENDS", "CREATOR", "MATCHERS", "COMMENT")
    return _print(invocation, "/history/silences", SilenceSeen, header, rows)


def _print(
    invocation: Invocation,
    path: str,
    model: type[T],
    header: Row,
    rows: Callable[[T], Iterator[Row]],
    more: list[tuple[str, str]] | None = None,
) -> int:
    from tocsin.client.formats import to_json
    from tocsin.client.terminal import Terminal
    from tocsin.client.tocsin import as_json, pages

    limit = invocation.number("limit")
    if limit < 0:
        raise UserError(f"--limit={limit}: give a number of lines, or 0 for all")
    query = [*_query(invocation), *(more or []), ("limit", str(limit if 0 < limit < 1000 else 1000))]
    found = pages(ask(invocation), path, model, query)
    most = limit if limit > 0 else None
    if invocation.output == "json":
        say(to_json([as_json(item) for item in islice(found, most)]))
        return 0
    lines = (row for item in found for row in rows(item))
    Terminal().table(header, list(islice(lines, most)), colours=False)
    return 0


def _query(invocation: Invocation) -> list[tuple[str, str]]:
    words = Words(invocation)
    query = [("filter", str(words.matcher(word))) for word in words.with_name(invocation.arguments)]
    query += [
        (name, moment(name, invocation.text(name))) for name in ("since", "until") if invocation.text(name)
    ]
    if invocation.given("receiver"):
        query.append(("receiver", invocation.text("receiver")))
    return query


def _time(invocation: Invocation, text: str) -> str:
    return dates.shown(text, invocation.text("date.format"))


def _labels(labels: Mapping[str, str]) -> str:
    from tocsin.alerting.matcher import MatchType
    from tocsin.alerting.matcher.matcher import matcher_text

    return " ".join(matcher_text(MatchType.EQUAL, name, value) for name, value in labels.items())


_TIMES: Final = (
    Flag("since", "From when on: RFC 3339, or how long ago", value="TIME"),
    Flag("until", "Until when: RFC 3339, or how long ago", value="TIME"),
    Flag("limit", "Lines at most; 0: all", NUMBER, default="50"),
)
_RECEIVER: Final = Flag("receiver", "Of this receiver", value="NAME")
_MATCHERS: Final = Argument("matchers", "Labels of the alerts")
_OF: Final = "Of the node that is asked, within its --record.max-… and --data.retention."

NOTIFICATIONS: Final = Command(
    run_notifications,
    flags=(*_TIMES, _RECEIVER, Flag("outcome", "What became of it", choice("", *OUTCOMES), value="OUTCOME")),
    arguments=(_MATCHERS,),
    description=f"""\
What was sent, what was not and why, a line for each integration of each flush. {_OF}

    history notifications DiskFull --since 12h
    history notifications --receiver team --outcome "given up\"""",
)
ALERTS: Final = Command(
    run_alerts,
    flags=(*_TIMES, _RECEIVER),
    arguments=(_MATCHERS,),
    description=f"Each alert as it was in the last flush that had it. {_OF}",
)
SILENCES: Final = Command(
    run_silences,
    flags=_TIMES,
    arguments=(Argument("matchers", "Matchers that the silences must have"),),
    description=f"Silences that were in force in that time, those that have ended too. {_OF}",
)
