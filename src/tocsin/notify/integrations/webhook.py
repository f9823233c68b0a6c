"""The webhook: posts Alertmanager's JSON, or a payload of one's own, to a URL."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, Final

from tocsin.alerting.duration import format_go_duration
from tocsin.alerting.labels import Labels
from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import ZERO, format_rfc3339
from tocsin.config.readers import secret_template, text
from tocsin.config.scalars import check_url, go_duration, unsigned
from tocsin.config.schema import option
from tocsin.config.texts import SECRET_TEXT, SecretTemplate
from tocsin.config.values import any_templates
from tocsin.config.yaml import Node
from tocsin.notify.integrations.base import (
    HTTPIntegrationConfig,
    Kind,
    NotifyError,
    Render,
    RetryRule,
    Services,
    read_secret,
    within,
)
from tocsin.notify.integrations.json import encode, sorted_maps

INLINE_PAIRS: Final = 512
"""Labels and annotations of a notification, past which its text is made beside the event loop."""


def _url(node: Node) -> SecretTemplate:
    written = secret_template(node)
    if "{{" not in written and written not in ("", SECRET_TEXT):
        try:
            check_url(written)
        except ValueError as error:
            raise node.mark.error(
                f"invalid URL: {error}", "a URL looks like https://host:port/path"
            ) from None
    return written


class WebhookConfig(HTTPIntegrationConfig, kind="webhook"):
    """One of ``webhook_configs``."""

    url: str = option(_url, default=SecretTemplate(""))
    url_file: str = option(text, default="", always=True)
    """Of the working folder, as Alertmanager has it; what it holds is a template too."""
    max_alerts: int = option(unsigned, default=0, always=True)
    """Alerts past it are left out of the message and counted there; 0 is no limit."""
    timeout: int = option(go_duration, default=0, always=True, show=format_go_duration)
    """Of one request, nanoseconds; 0 or less: only the notification's deadline."""
    payload: Any = option(any_templates, default=None)

    def check(self) -> None:
        """A URL, or a file with it."""
        if not self.url and not self.url_file:
            raise self.mark.error("one of url or url_file must be configured", "add url:")
        if self.url and self.url_file:
            raise self.at("url_file").error("at most one of url & url_file must be configured", "remove one")


class WebhookNotifier:
    """2xx is success, 5xx and network trouble are tried again, everything else is not."""

    retry: Final = RetryRule()

    def __init__(self, config: WebhookConfig, services: Services) -> None:
        self._config = config
        self._services = services
        self._http = services.http(config.http_config)

    async def notify(self, notification: Notification) -> None:
        """Post the notification once."""
        config, services = self._config, self._services
        template = await read_secret(services.secrets, config.url, config.url_file, what="url_file")
        told = _limited(notification, config.max_alerts)

        def build(render: Render) -> tuple[str, bytes]:
            payload = b"" if config.payload is None else encode(sorted_maps(render.copy(config.payload)))
            return render.text(template), payload

        if config.payload is None and "{{" not in template:
            url, body = template, b""
        else:
            url, body = await services.compose(told, build)
        services.secrets.add(url)
        if not url:
            raise NotifyError("webhook URL is empty")
        if config.payload is None:
            make = partial(webhook_payload, notification, services.external_url, config.max_alerts)
            pairs = sum([len(alert.labels) + len(alert.annotations) for alert in notification.alerts])
            body = await asyncio.to_thread(make) if pairs > INLINE_PAIRS else make()
        answer = await within(config.timeout, "webhook", self._http.post(url, body))
        answer.check(self.retry)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()


def _limited(notification: Notification, max_alerts: int) -> Notification:
    if 0 < max_alerts < len(notification.alerts):
        return replace(notification, alerts=notification.alerts[:max_alerts])
    return notification


_REGEXP_META = re.compile(r"[\\.+*?()|\[\]{}^$]")


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
    return encode(
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


KIND: Final = Kind(WebhookConfig, WebhookNotifier)
