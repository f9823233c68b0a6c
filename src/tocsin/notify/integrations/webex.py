"""Webex: one message in a room, in Markdown."""

from __future__ import annotations

from typing import Final

from tocsin.alerting.notification import Notification
from tocsin.config.readers import template
from tocsin.config.scalars import url
from tocsin.config.schema import option
from tocsin.config.texts import MaskedURL, Template
from tocsin.notify.integrations.base import HTTPIntegrationConfig, Kind, Render, RetryRule, Services
from tocsin.notify.integrations.truncate import in_bytes

MAX_BYTES: Final = 7439
"""Bytes of a message, by Webex' limit."""


class WebexConfig(HTTPIntegrationConfig, kind="webex"):
    """One of ``webex_configs``. The bot's token is ``http_config.authorization.credentials``."""

    api_url: str = option(url, default=MaskedURL(""), inherit="webex_api_url")
    message: str = option(template, default=Template('{{ template "webex.default.message" . }}'))
    room_id: str = option(template, default=Template(""), always=True)

    def check(self) -> None:
        """A room, and a token."""
        if not self.room_id:
            raise self.mark.error("missing room_id on webex_config", "add room_id:")
        if not self.has("http_config") or self.http_config.authorization is None:
            raise self.mark.error(
                "missing webex_configs.http_config.authorization",
                "add http_config: {authorization: {credentials: …}}, global's does not count",
            )
        if not self.api_url:
            raise self.mark.error("no global Webex URL set", "add api_url:")


class WebexNotifier:
    """2xx is success, 5xx and network errors are tried again, everything else is not."""

    retry: Final = RetryRule()

    def __init__(self, config: WebexConfig, services: Services) -> None:
        self._config, self._services = config, services
        self._http = services.http(config.http_config)

    async def notify(self, notification: Notification) -> None:
        """Post one message."""
        message = await self._services.compose(notification, self._message)
        answer = await self._http.post_json(self._config.api_url, message)
        answer.check(self.retry)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()

    def _message(self, render: Render) -> dict[str, str]:
        message = {"markdown": in_bytes(render.text(self._config.message), MAX_BYTES)}
        room = render.text(self._config.room_id)
        return message | {"roomId": room} if room else message


KIND: Final = Kind(WebexConfig, WebexNotifier)
