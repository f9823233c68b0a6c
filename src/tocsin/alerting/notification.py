"""A notification, and the JSON that Alertmanager posts to a webhook for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.timestamp import ZERO, Nanoseconds, format_rfc3339

Reason = Literal[
    "first notification",
    "new alerts added",
    "some alerts resolved",
    "all alerts resolved",
    "repeat interval elapsed",
]
"""Why a notification is sent, in the words of the webhook's ``notification_reason``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What one integration is to be told. ``alerts`` are in order; those with an end are resolved."""

    receiver: str
    group_key: str
    group_labels: Labels
    alerts: tuple[Alert, ...]
    now: Nanoseconds
    reason: Reason


_REGEXP_META = re.compile(r"[\\.+*?()|\[\]{}^$]")
# Go's encoder makes JSON safe to stand within HTML and JavaScript.
_HTML_ESCAPES = (
    ("&", "\\u0026"),
    ("<", "\\u003c"),
    (">", "\\u003e"),
    ("\u2028", "\\u2028"),
    ("\u2029", "\\u2029"),
)
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def webhook_payload(notification: Notification, external_url: str, max_alerts: int = 0) -> bytes:
    """The body of Alertmanager 0.33's webhook message, byte for byte.

    ``max_alerts`` over 0 leaves out the alerts past it *before* the status and the common labels are worked
    out, and tells how many in ``truncatedAlerts``. The receiver's name is regexp-quoted,
    as Alertmanager has it.
    """
    alerts = notification.alerts
    truncated = 0
    if 0 < max_alerts < len(alerts):
        truncated = len(alerts) - max_alerts
        alerts = alerts[:max_alerts]
    firing = any(alert.ends_at in _NO_END for alert in alerts)
    text = _encode(
        {
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
            "version": "4",
            "groupKey": notification.group_key,
            "truncatedAlerts": truncated,
        }
    )
    # Outside its texts JSON has none of these characters, so the whole can be escaped at once.
    for character, escape in _HTML_ESCAPES:
        text = text.replace(character, escape)
    return text.encode("utf-8", "replace") + b"\n"


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
