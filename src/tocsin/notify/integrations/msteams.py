"""Microsoft Teams by an Office 365 connector: a message card."""

from __future__ import annotations

from typing import Any, Final

from tocsin.alerting.notification import Notification
from tocsin.config.readers import template
from tocsin.config.readers import text as plain
from tocsin.config.scalars import secret_url
from tocsin.config.schema import option
from tocsin.config.texts import Secret, Template
from tocsin.notify.integrations.base import (
    HTTPIntegrationConfig,
    Kind,
    Render,
    RetryRule,
    Services,
    fires,
    read_secret,
)

RED: Final = "8C1A1A"
GREEN: Final = "2DC72D"


class MSTeamsConfig(HTTPIntegrationConfig, kind="msteams"):
    """One of ``msteams_configs``."""

    webhook_url: str = option(secret_url, default=Secret(""))
    webhook_url_file: str = option(plain, default="")
    title: str = option(template, default=Template('{{ template "msteams.default.title" . }}'))
    summary: str = option(template, default=Template('{{ template "msteams.default.summary" . }}'))
    text: str = option(template, default=Template('{{ template "msteams.default.text" . }}'))

    def check(self) -> None:
        """A URL, or a file with it."""
        self.at_most_one("webhook_url", "webhook_url_file", least="add webhook_url:")


class MSTeamsNotifier:
    """5xx and network errors are tried again."""

    retry: Final = RetryRule()

    def __init__(self, config: MSTeamsConfig, services: Services) -> None:
        self._config = config
        self._services = services
        self._http = services.http(config.http_config)

    async def notify(self, notification: Notification) -> None:
        """Post the notification once."""
        config, services = self._config, self._services

        def build(render: Render) -> dict[str, Any]:
            return {
                "@context": "http://schema.org/extensions",
                "type": "MessageCard",
                "title": render.text(config.title),
                "summary": render.text(config.summary),
                "text": render.text(config.text),
                "themeColor": RED if fires(notification) else GREEN,
            }

        card = await services.compose(notification, build)
        url = await read_secret(
            services.secrets, config.webhook_url, config.webhook_url_file, what="webhook_url_file"
        )
        answer = await self._http.post_json(url, card)
        answer.check(self.retry)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()


KIND: Final = Kind(MSTeamsConfig, MSTeamsNotifier)
