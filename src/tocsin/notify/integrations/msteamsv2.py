"""Microsoft Teams by a flow of Power Automate: an adaptive card."""

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

RED: Final = "Attention"
GREEN: Final = "Good"


class MSTeamsV2Config(HTTPIntegrationConfig, kind="msteamsv2"):
    """One of ``msteamsv2_configs``."""

    webhook_url: str = option(secret_url, default=Secret(""))
    webhook_url_file: str = option(plain, default="")
    title: str = option(template, default=Template('{{ template "msteamsv2.default.title" . }}'))
    text: str = option(template, default=Template('{{ template "msteamsv2.default.text" . }}'))

    def check(self) -> None:
        """A URL, or a file with it. An ``http_config`` without a proxy uses the proxy of ``global``: of this
        kind alone, since Alertmanager 0.34."""
        self.at_most_one("webhook_url", "webhook_url_file", least="add webhook_url:")
        globals_ = self.mark.reading.globals
        if globals_ is not None and not self.http_config.proxy_url:
            proxy = globals_["http_config"].proxy_url
            if proxy:
                self.amend(http_config=self.http_config.replaced(proxy_url=proxy))


class MSTeamsV2Notifier:
    """5xx and network errors are tried again."""

    retry: Final = RetryRule()

    def __init__(self, config: MSTeamsV2Config, services: Services) -> None:
        self._config = config
        self._services = services
        self._http = services.http(config.http_config)

    async def notify(self, notification: Notification) -> None:
        """Post the notification once."""
        config, services = self._config, self._services

        def build(render: Render) -> dict[str, Any]:
            color = RED if fires(notification) else GREEN
            return _message(render.text(config.title), render.text(config.text), color)

        message = await services.compose(notification, build)
        url = await read_secret(
            services.secrets, config.webhook_url, config.webhook_url_file, what="webhook_url_file"
        )
        answer = await self._http.post_json(url, message)
        answer.check(self.retry)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()


def _message(title: str, text: str, color: str) -> dict[str, Any]:
    heading = {
        "type": "TextBlock",
        "text": title,
        "weight": "Bolder",
        "size": "Medium",
        "wrap": True,
        "style": "heading",
        "color": color,
    }
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "body": [heading, {"type": "TextBlock", "text": text, "wrap": True}],
        "msteams": {"width": "full"},
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


KIND: Final = Kind(MSTeamsV2Config, MSTeamsV2Notifier)
