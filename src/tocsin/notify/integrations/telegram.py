"""Telegram: one message by a bot, by ``sendMessage`` of the Bot API."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from tocsin.alerting.notification import Notification
from tocsin.config.readers import secret, template, text
from tocsin.config.scalars import boolean, integer, url
from tocsin.config.schema import option
from tocsin.config.texts import MaskedURL, Secret, Template
from tocsin.config.yaml import Node
from tocsin.notify.integrations.answer import MAX_ANSWER_BYTES
from tocsin.notify.integrations.base import (
    MAX_EXCERPT,
    Answer,
    HTTPIntegrationConfig,
    Kind,
    NotifyError,
    Render,
    Services,
    excerpt,
    read_secret,
)
from tocsin.notify.integrations.json import encode
from tocsin.notify.integrations.truncate import in_characters

MAX_CHARACTERS: Final = 4096
"""Characters of a message, by Telegram's limit."""
TOO_LONG: Final = (
    "Alertmanager notification could not be sent: message length exceeds Telegram limits.\n"
    "\t\t\tPlease check the template used for producing the message content."
)
"""Sent instead of HTML that is too long, since cutting would break its tags; Alertmanager's text."""
PARSE_MODES: Final = ("", "Markdown", "MarkdownV2", "HTML")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)


def _parse_mode(node: Node) -> str:
    written = text(node)
    if written not in PARSE_MODES:
        raise node.mark.error(
            "unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty string",
            "write parse_mode: HTML",
        )
    return written


class TelegramConfig(HTTPIntegrationConfig, kind="telegram"):
    """One of ``telegram_configs``. Relative names of its own files start at the working directory."""

    api_url: str = option(url, default=MaskedURL(""), inherit="telegram_api_url")
    bot_token: str = option(secret, default=Secret(""), inherit="telegram_bot_token")
    bot_token_file: str = option(text, default="", inherit="telegram_bot_token_file")
    chat_id: int = option(integer, default=0)
    chat_id_file: str = option(text, default="")
    message_thread_id: int = option(integer, default=0)
    message: str = option(template, default=Template('{{ template "telegram.default.message" . }}'))
    disable_notifications: bool = option(boolean, default=False)
    parse_mode: str = option(_parse_mode, default="HTML")

    def check(self) -> None:
        """A chat and a token are given."""
        self.at_most_one("bot_token", "bot_token_file", least="add bot_token:")
        if not self.chat_id and not self.chat_id_file:
            raise self.mark.error("missing chat_id or chat_id_file on telegram_config", "add chat_id:")
        self.at_most_one("chat_id", "chat_id_file")


class TelegramNotifier:
    """The answer's ``ok`` decides, not its status; everything else is retried, as by Alertmanager."""

    def __init__(self, config: TelegramConfig, services: Services) -> None:
        self._config, self._services = config, services
        self._http = services.http(config.http_config)

    async def notify(self, notification: Notification) -> None:
        """Send one message."""
        config = self._config
        message = await self._services.compose(notification, self._message)
        token = await self._read(config.bot_token, config.bot_token_file, "bot_token_file")
        url = f"{config.api_url}/bot{token}/sendMessage"
        self._services.secrets.add(token, url)
        chat = await self._chat()
        fields = {
            "chat_id": str(chat),
            "disable_notification": "true" if config.disable_notifications else "",
            "disable_web_page_preview": "true",
            "message_thread_id": str(config.message_thread_id or ""),
            "parse_mode": config.parse_mode,
        }
        fields = {name: value for name, value in fields.items() if value} | {"text": message}
        _check(await self._http.post(url, encode(fields)))

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()

    def _message(self, render: Render) -> str:
        config = self._config
        if config.parse_mode != "HTML":
            return in_characters(render.text(config.message), MAX_CHARACTERS)
        message = render.html(config.message)
        return message if len(message) <= MAX_CHARACTERS else TOO_LONG

    async def _chat(self) -> int:
        config = self._config
        if not config.chat_id_file:
            return config.chat_id
        found = await self._read("", config.chat_id_file, "chat_id_file")
        if not _NUMBER.fullmatch(found) or not -(1 << 63) <= int(found) < 1 << 63:
            raise NotifyError(f"chat_id_file: {config.chat_id_file}: it holds no number", retry=True)
        return int(found)

    async def _read(self, value: str, file: str, what: str) -> str:
        try:
            return await read_secret(self._services.secrets, value, file, what=what)
        except NotifyError as failure:
            raise NotifyError(str(failure), retry=True) from None


def _check(answer: Answer) -> None:
    """:class:`NotifyError` if Telegram did not take the message.

    It answers with the message, whose text may be longer than what is read of an answer.
    """
    try:
        found: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        if len(answer.body) == MAX_ANSWER_BYTES and re.match(rb'\s*{\s*"ok"\s*:\s*true\b', answer.body):
            return
        raise NotifyError(
            f"the answer (status {answer.status}) is not JSON: {excerpt(answer.body)}", retry=True
        ) from None
    found = found if isinstance(found, dict) else {}
    if found.get("ok") is not True:
        said = str(found.get("description", ""))[:MAX_EXCERPT]
        raise NotifyError(f"telegram: {said} ({found.get('error_code', answer.status)})", retry=True)


KIND: Final = Kind(TelegramConfig, TelegramNotifier)
