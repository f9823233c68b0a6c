"""A notification as JSON, as the webhook and incident.io get it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final, TypeVar

from tocsin.alerting.labels import Labels
from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import ZERO, format_rfc3339

T = TypeVar("T")

INLINE_PAIRS: Final = 512
"""Labels and annotations of a notification, past which it is encoded on a thread."""
INLINE_CHARACTERS: Final = 128 * 1024
"""Characters in their values, likewise."""


async def beside_loop(notification: Notification, make: Callable[[], T]) -> T:
    """The result of ``make``, which runs on a thread for a large notification."""
    alerts = notification.alerts
    large = sum([len(alert.labels) + len(alert.annotations) for alert in alerts]) > INLINE_PAIRS or (
        sum([len(value) for alert in alerts for _, value in (*alert.labels.pairs, *alert.annotations.pairs)])
        > INLINE_CHARACTERS
    )
    return await asyncio.to_thread(make) if large else make()


_REGEXP_META = re.compile(r"[\\.+*?()|\[\]{}^$]")


def payload(
    notification: Notification, external_url: str, *, version: str, max_alerts: int = 0
) -> dict[str, Any]:
    """Alertmanager 0.33's data of a notification, in the order in which they are sent.

    ``max_alerts`` above 0 drops the alerts past it *before* status and common labels are computed; how many
    were dropped is in ``truncatedAlerts``. The receiver's name is regexp-quoted, as Alertmanager has it.
    """
    alerts = notification.alerts
    truncated = 0
    if 0 < max_alerts < len(alerts):
        truncated = len(alerts) - max_alerts
        alerts = alerts[:max_alerts]
    firing = any(alert.ends_at in _NO_END for alert in alerts)
    return {
        "receiver": _REGEXP_META.sub(r"\\\g<0>", notification.receiver),
        "status": "firing" if firing else "resolved",
        "alerts": [
            {
                "status": "firing" if alert.ends_at in _NO_END else "resolved",
                "labels": dict(alert.labels.pairs),
                "annotations": dict(alert.annotations.pairs),
                "startsAt": _time(alert.starts_at),
                "endsAt": _time(alert.ends_at or ZERO),
                "generatorURL": alert.generator_url,
                "fingerprint": alert.labels.fingerprint_text,
            }
            for alert in alerts
        ],
        "notification_reason": notification.reason,
        "groupLabels": dict(notification.group_labels.pairs),
        "commonLabels": _common(alert.labels for alert in alerts),
        "commonAnnotations": _common(alert.annotations for alert in alerts),
        "externalURL": external_url,
        "version": version,
        "groupKey": notification.group_key,
        "truncatedAlerts": truncated,
    }


_NO_END = (0, ZERO)
_time = lru_cache(maxsize=1024)(format_rfc3339)


def _common(sets: Iterable[Labels]) -> dict[str, str]:
    common: dict[str, str] | None = None
    for labels in sets:
        if common is None:
            common = dict(labels.pairs)
        elif not common:
            break
        else:
            common = {name: value for name, value in common.items() if labels.get(name) == value}
    return common or {}
