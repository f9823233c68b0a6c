"""Discord: one embed, by a channel's webhook."""

from __future__ import annotations

from typing import Any, Final

from tocsin.alerting.notification import Notification
from tocsin.config.readers import template, text
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
from tocsin.notify.integrations.json import without_empty
from tocsin.notify.integrations.truncate import in_characters
from tocsin.notify.integrations.url import is_url

MAX_TITLE: Final = 256
MAX_DESCRIPTION: Final = 4096
MAX_CONTENT: Final = 2000
"""Characters of content, title and description, by Discord's limits of messages and embeds."""

RED: Final = 0x992D22
GREEN: Final = 0x2ECC71


class DiscordConfig(HTTPIntegrationConfig, kind="discord"):
    """One of ``discord_configs``."""

    webhook_url: str = option(secret_url, default=Secret(""))
    webhook_url_file: str = option(text, default="")
    content: str = option(template, default=Template(""))
    title: str = option(template, default=Template('{{ template "discord.default.title" . }}'))
    message: str = option(template, default=Template('{{ template "discord.default.message" . }}'))
    username: str = option(text, default="")
    """Not a template, nor is ``avatar_url``: Alertmanager sends both as they are written."""
    avatar_url: str = option(text, default="")
    """Omitted from the message when it is not a URL."""

    def check(self) -> None:
        """A URL, or a file with it."""
        self.at_most_one("webhook_url", "webhook_url_file", least="add webhook_url:")


class DiscordNotifier:
    """5xx and network errors are tried again, nothing else: not 429 either."""

    retry: Final = RetryRule()

    def __init__(self, config: DiscordConfig, services: Services) -> None:
        self._config = config
        self._services = services
        self._http = services.http(config.http_config)

    async def notify(self, notification: Notification) -> None:
        """Post the notification once."""
        config, services = self._config, self._services

        def build(render: Render) -> dict[str, Any]:
            embed = {
                "title": in_characters(render.text(config.title), MAX_TITLE),
                "description": in_characters(render.text(config.message), MAX_DESCRIPTION),
                "color": RED if fires(notification) else GREEN,
            }
            return without_empty(
                {
                    "content": in_characters(render.text(config.content), MAX_CONTENT),
                    "embeds": [embed],
                    "username": config.username,
                    "avatar_url": config.avatar_url if is_url(config.avatar_url) else "",
                },
                always=("content",),
            )

        message = await services.compose(notification, build)
        url = await read_secret(
            services.secrets, config.webhook_url, config.webhook_url_file, what="webhook_url_file"
        )
        answer = await self._http.post_json(url, message)
        answer.check(self.retry)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()


KIND: Final = Kind(DiscordConfig, DiscordNotifier)
