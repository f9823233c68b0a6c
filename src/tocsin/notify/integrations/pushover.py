"""Pushover: a message with title and link, sent as parameters of the URL."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from tocsin.alerting.duration import format_go_duration, parse_go_duration
from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.config.readers import parsed, secret_template, template, text
from tocsin.config.scalars import boolean
from tocsin.config.schema import option
from tocsin.config.texts import HTMLTemplate, SecretTemplate, Template
from tocsin.config.yaml import Reader
from tocsin.notify.integrations.base import (
    HTTPIntegrationConfig,
    Kind,
    Render,
    RetryRule,
    Services,
    read_secret,
)
from tocsin.notify.integrations.truncate import in_characters

API_URL: Final = "https://api.pushover.net/1/messages.json"
MAX_TITLE: Final = 250
MAX_MESSAGE: Final = 1024
MAX_URL: Final = 512
"""Characters, by https://pushover.net/api#limits."""
NO_MESSAGE: Final = "(no details)"
"""Pushover refuses a message without text."""

_span: Reader[Nanoseconds] = parsed(parse_go_duration, hint="a duration here looks like 30s, 1m30s or 500ms")


class PushoverConfig(HTTPIntegrationConfig, kind="pushover"):
    """One of ``pushover_configs``."""

    user_key: str = option(secret_template, default=SecretTemplate(""))
    user_key_file: str = option(text, default="")
    token: str = option(secret_template, default=SecretTemplate(""))
    token_file: str = option(text, default="")
    title: str = option(template, default=Template('{{ template "pushover.default.title" . }}'))
    message: str = option(template, default=Template('{{ template "pushover.default.message" . }}'))
    url: str = option(template, default=Template('{{ template "pushover.default.url" . }}'))
    url_title: str = option(template, default=Template(""))
    device: str = option(template, default=Template(""))
    sound: str = option(template, default=Template(""))
    priority: str = option(template, default=Template('{{ if eq .Status "firing" }}2{{ else }}0{{ end }}'))
    retry: int = option(_span, default=60 * SECOND, show=format_go_duration)
    """How often Pushover repeats an emergency, until ``expire``; nanoseconds."""
    expire: int = option(_span, default=3600 * SECOND, show=format_go_duration)
    ttl: int = option(_span, default=0, show=format_go_duration)
    """Nanoseconds after which Pushover deletes the message; 0: never."""
    html: bool = option(boolean, default=False)
    monospace: bool = option(boolean, default=False)

    def check(self) -> None:
        """A user and a token from one source each, and one way to show the message."""
        self.at_most_one("user_key", "user_key_file", least="add user_key:")
        self.at_most_one("token", "token_file", least="add token:")
        if self.html and self.monospace:
            raise self.at("monospace").error(
                "at most one of monospace & html must be configured", "remove one"
            )
        if self.html:
            problem = self.mark.reading.compile(HTMLTemplate(self.message))
            if problem:
                raise self.at("message").error(problem, "fix the template")


class PushoverNotifier:
    """2xx is success, 5xx and network errors are tried again."""

    retry: Final = RetryRule()

    def __init__(self, config: PushoverConfig, services: Services) -> None:
        self._config = config
        self._services = services
        self._http = services.http(config.http_config)

    async def notify(self, notification: Notification) -> None:
        """Post the notification once."""
        config, secrets = self._config, self._services.secrets
        # The content of a file is sent as it is, its last newline included, as by Alertmanager.
        token = await read_secret(secrets, config.token, config.token_file, what="token_file", strip=False)
        user = await read_secret(
            secrets, config.user_key, config.user_key_file, what="user_key_file", strip=False
        )
        parameters = await self._services.compose(
            notification, lambda render: self._build(render, token, user)
        )
        secrets.add(parameters["token"], parameters["user"])
        url = f"{API_URL}?{urlencode(sorted(parameters.items()))}"
        answer = await self._http.post(url, b"", content_type="text/plain")
        answer.check(self.retry)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()

    def _build(self, render: Render, token: str, user: str) -> dict[str, str]:
        from tocsin.notify.template.casing import trim_space

        config = self._config
        message = render.html(config.message) if config.html else render.text(config.message)
        parameters = {
            "token": render.text(token),
            "user": render.text(user),
            "title": in_characters(render.text(config.title), MAX_TITLE),
            "message": trim_space(in_characters(message, MAX_MESSAGE)) or NO_MESSAGE,
            "url": in_characters(render.text(config.url), MAX_URL),
            "url_title": render.text(config.url_title),
            "priority": render.text(config.priority),
            "retry": _seconds(config.retry),
            "expire": _seconds(config.expire),
            "device": render.text(config.device),
            "sound": render.text(config.sound),
        }
        if config.html:
            parameters["html"] = "1"
        if config.monospace:
            parameters["monospace"] = "1"
        if config.ttl >= SECOND:
            parameters["ttl"] = _seconds(config.ttl)
        return parameters


def _seconds(span: Nanoseconds) -> str:
    """Whole seconds, rounded towards 0."""
    return str(abs(span) // SECOND * (1 if span > 0 else -1))


KIND: Final = Kind(PushoverConfig, PushoverNotifier)
