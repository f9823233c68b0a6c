"""incident.io: posts the notification as JSON to an alert source."""

from __future__ import annotations

import json
from typing import Final

from tocsin.alerting.duration import format_go_duration
from tocsin.alerting.notification import Notification
from tocsin.config.httpclient import Authorization, HTTPClientConfig
from tocsin.config.readers import secret, text
from tocsin.config.scalars import go_duration, unsigned
from tocsin.config.scalars import url as any_url
from tocsin.config.schema import option
from tocsin.config.texts import MaskedURL, Secret
from tocsin.notify.integrations.base import (
    HTTPIntegrationConfig,
    Kind,
    RetryRule,
    Services,
    read_secret,
)
from tocsin.notify.integrations.json import encode
from tocsin.notify.integrations.payload import beside_loop, payload

MAX_PAYLOAD_BYTES: Final = 512 * 1024
"""The most that incident.io accepts. Of a larger notification only the first alert is sent, whatever its
size."""


class IncidentioConfig(HTTPIntegrationConfig, kind="incidentio"):
    """One of ``incidentio_configs``."""

    url: str = option(
        any_url, default=MaskedURL(""), always=True, show=lambda url: MaskedURL(url).masked or None
    )
    url_file: str = option(text, default="", always=True)
    alert_source_token: str = option(secret, default=Secret(""))
    alert_source_token_file: str = option(text, default="")
    max_alerts: int = option(unsigned, default=0, always=True)
    """Alerts in a message; how many more there are is in ``truncatedAlerts``. 0 is no limit."""
    timeout: int = option(go_duration, default=0, always=True, show=format_go_duration)
    """Time limit of a request, nanoseconds; 0 or less: only the notification's deadline."""

    def check(self) -> None:
        """A URL, and credentials: a token, or those of ``http_config`` (``global``'s too)."""
        self.at_most_one("url", "url_file", least="add url:")
        token = "alert_source_token_file" if self.alert_source_token_file else "alert_source_token"
        self.at_most_one("alert_source_token", "alert_source_token_file")
        globals_ = self.mark.reading.globals
        inherited = globals_ is not None and self.http_config is globals_["http_config"]
        if not self.has("http_config") or inherited:
            return
        if self.http_config.authorization is not None and self[token]:
            raise self.at(token).error(
                "cannot specify alert_source_token or alert_source_token_file when using"
                " http_config.authorization",
                f"remove {token}",
            )
        if self.http_config.authorization is None and not self[token]:
            raise self.mark.error(
                "at least one of alert_source_token, alert_source_token_file or http_config.authorization"
                " must be configured",
                "add alert_source_token:",
            )


class IncidentioNotifier:
    """429, 5xx and network errors are tried again."""

    retry: Final = RetryRule(codes={429}, details=lambda _status, body: _details(body))

    def __init__(self, config: IncidentioConfig, services: Services) -> None:
        self._config = config
        self._services = services
        self._http = services.http(_authorized(config))

    async def notify(self, notification: Notification) -> None:
        """Post the notification once."""
        config, services = self._config, self._services

        def make() -> bytes:
            message = payload(notification, services.external_url, version="1", max_alerts=config.max_alerts)
            body = encode(message)
            if len(body) > MAX_PAYLOAD_BYTES:
                body = encode(message | {"alerts": message["alerts"][:1]})
            return body

        body = await beside_loop(notification, make)
        url = await read_secret(services.secrets, config.url, config.url_file, what="url_file")
        answer = await self._http.post_within(config.timeout, "incident.io", url, body)
        answer.check(self.retry)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()


def _authorized(config: IncidentioConfig) -> HTTPClientConfig:
    """The client configuration: the token overrides an ``authorization`` of ``global``; other credentials
    override the token."""
    http = config.http_config
    token, file = config.alert_source_token, config.alert_source_token_file
    if not (token or file) or http.oauth2 is not None:
        return http
    return http.replaced(authorization=Authorization(type="Bearer", credentials=token, credentials_file=file))


def _details(body: bytes) -> str:
    """``message``, ``error`` and ``errors`` of an answer that is JSON."""
    try:
        said, _ = json.JSONDecoder().raw_decode(body.decode("utf-8", "replace").lstrip(" \t\r\n"))
    except (ValueError, RecursionError):
        return ""
    if not isinstance(said, dict):
        return ""
    message, error, errors = said.get("message") or "", said.get("error") or "", said.get("errors") or []
    if not (isinstance(message, str) and isinstance(error, str) and isinstance(errors, list)):
        return ""
    if not all(isinstance(each, str) for each in errors):
        return ""
    return ": ".join(part for part in (message, error, ", ".join(errors)) if part)


KIND: Final = Kind(IncidentioConfig, IncidentioNotifier)
