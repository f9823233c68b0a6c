"""The webhook: posts Alertmanager's JSON, or a configured payload, to a URL."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final

from tocsin.alerting.duration import format_go_duration
from tocsin.alerting.notification import Notification
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
)
from tocsin.notify.integrations.json import encode, sorted_maps
from tocsin.notify.integrations.payload import beside_loop, payload


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
    """Relative names start at the working directory, as in Alertmanager; the content is a template too."""
    max_alerts: int = option(unsigned, default=0, always=True)
    """Alerts in a message; how many more there are is in ``truncatedAlerts``. 0 is no limit."""
    timeout: int = option(go_duration, default=0, always=True, show=format_go_duration)
    """Time limit of a request, nanoseconds; 0 or less: only the notification's deadline."""
    payload: Any = option(any_templates, default=None)

    def check(self) -> None:
        """A URL, or a file with it."""
        if not self.url and not self.url_file:
            raise self.mark.error("one of url or url_file must be configured", "add url:")
        if self.url and self.url_file:
            raise self.at("url_file").error("at most one of url & url_file must be configured", "remove one")


class WebhookNotifier:
    """2xx is success, 5xx and network errors are tried again, everything else is not."""

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
            body = await beside_loop(notification, make)
        answer = await self._http.post_within(config.timeout, "webhook", url, body)
        answer.check(self.retry)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()


def _limited(notification: Notification, max_alerts: int) -> Notification:
    if 0 < max_alerts < len(notification.alerts):
        return replace(notification, alerts=notification.alerts[:max_alerts])
    return notification


def webhook_payload(notification: Notification, external_url: str, max_alerts: int = 0) -> bytes:
    """The body of Alertmanager's webhook message, byte for byte; see
    :func:`~tocsin.notify.integrations.payload.payload`."""
    return encode(payload(notification, external_url, version="4", max_alerts=max_alerts))


KIND: Final = Kind(WebhookConfig, WebhookNotifier)
