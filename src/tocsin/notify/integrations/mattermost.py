"""Mattermost: a message with attachments, by an incoming webhook."""

from __future__ import annotations

from typing import Any, Final

from tocsin.alerting.notification import Notification
from tocsin.alerting.quote import go_quote
from tocsin.config.readers import list_of, template
from tocsin.config.readers import text as plain
from tocsin.config.scalars import boolean, secret_url
from tocsin.config.schema import Section, option
from tocsin.config.texts import Secret, Template
from tocsin.notify.integrations.base import (
    HTTPIntegrationConfig,
    Kind,
    NotifyError,
    Render,
    RetryRule,
    Services,
    read_secret,
)
from tocsin.notify.integrations.json import without_empty
from tocsin.notify.integrations.truncate import in_characters

MAX_TEXT: Final = 16_383
"""Characters of the message's own text, by Mattermost's limit; texts of attachments are sent as they are."""
_NONE: Final = Template("")
_PARTS: Final = (
    "fallback",
    "color",
    "pretext",
    "text",
    "author_name",
    "author_link",
    "author_icon",
    "title",
    "title_link",
    "fields",
    "thumb_url",
    "footer",
    "footer_icon",
    "image_url",
)
"""Keys of an attachment, in the order in which they are sent."""


def _named(what: str) -> Template:
    return Template(f'{{{{ template "mattermost.default.{what}" . }}}}')


class Field(Section):
    """One of ``fields``."""

    title: str = option(template, default=_NONE)
    value: str = option(template, default=_NONE)
    short: bool | None = option(boolean, default=None)

    def check(self) -> None:
        """Both texts."""
        for name in ("title", "value"):
            if not self[name]:
                raise self.mark.error(f"missing {name} in Mattermost field configuration", f"add {name}:")


class Attachment(Section):
    """One of ``attachments``. A section without them has these keys itself, for a single attachment."""

    fallback: str = option(template, default=_NONE)
    color: str = option(template, default=_NONE)
    pretext: str = option(template, default=_NONE)
    text: str = option(template, default=_NONE)
    author_name: str = option(template, default=_NONE)
    author_link: str = option(template, default=_NONE)
    author_icon: str = option(template, default=_NONE)
    title: str = option(template, default=_NONE)
    title_link: str = option(template, default=_NONE)
    fields: tuple[Field, ...] = option(list_of(Field.read), default=())
    thumb_url: str = option(template, default=_NONE)
    footer: str = option(template, default=_NONE)
    footer_icon: str = option(template, default=_NONE)
    image_url: str = option(template, default=_NONE)


class Props(Section):
    """``props``."""

    card: str = option(template, default=_NONE)


class Priority(Section):
    """``priority``; without its key ``priority`` none is sent."""

    priority: str = option(template, default=_NONE)
    requested_ack: bool = option(boolean, default=False)
    persistent_notifications: bool = option(boolean, default=False)


class MattermostConfig(HTTPIntegrationConfig, kind="mattermost"):
    """One of ``mattermost_configs``."""

    webhook_url: str = option(secret_url, default=Secret(""), inherit="mattermost_webhook_url")
    webhook_url_file: str = option(plain, default="", inherit="mattermost_webhook_url_file")
    channel: str = option(template, default=_NONE)
    username: str = option(template, default=_named("username"))
    text: str = option(template, default=_named("text"))
    fallback: str = option(template, default=_named("fallback"))
    color: str = option(template, default=_named("color"))
    pretext: str = option(template, default=_NONE)
    author_name: str = option(template, default=_NONE)
    author_link: str = option(template, default=_NONE)
    author_icon: str = option(template, default=_NONE)
    title: str = option(template, default=_named("title"))
    title_link: str = option(template, default=_named("titlelink"))
    fields: tuple[Field, ...] = option(list_of(Field.read), default=())
    thumb_url: str = option(template, default=_NONE)
    footer: str = option(template, default=_NONE)
    footer_icon: str = option(template, default=_NONE)
    image_url: str = option(template, default=_NONE)
    icon_url: str = option(template, default=_NONE)
    icon_emoji: str = option(template, default=_NONE)
    attachments: tuple[Attachment, ...] = option(list_of(Attachment.read), default=())
    type: str = option(template, default=_NONE)
    props: Props | None = option(Props.read, default=None)
    priority: Priority | None = option(Priority.read, default=None)

    def check(self) -> None:
        """A URL, or a file with it."""
        self.at_most_one("webhook_url", "webhook_url_file")
        if not self.webhook_url and not self.webhook_url_file:
            raise self.mark.error(
                "missing webhook_url or webhook_url_file on mattermost_config",
                "add webhook_url:, or mattermost_webhook_url: to global",
            )


class MattermostNotifier:
    """5xx and network errors are tried again."""

    retry: Final = RetryRule()

    def __init__(self, config: MattermostConfig, services: Services) -> None:
        self._config = config
        self._services = services
        self._http = services.http(config.http_config)

    async def notify(self, notification: Notification) -> None:
        """Post the notification once."""
        config, services = self._config, self._services
        url = await read_secret(
            services.secrets, config.webhook_url, config.webhook_url_file, what="webhook_url_file"
        )
        if not url:
            raise NotifyError("webhook url missing")
        message = await services.compose(notification, self._message)
        answer = await self._http.post_json(url, message)
        try:
            answer.check(self.retry)
        except NotifyError as failure:
            channel = go_quote(message.get("channel", ""))
            raise NotifyError(
                f"channel {channel}: {failure}", retry=failure.retry, reason=failure.reason
            ) from None

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()

    def _message(self, render: Render) -> dict[str, Any]:
        config = self._config
        own = config.attachments
        message = without_empty(
            {
                "text": in_characters(render.text(config.text), MAX_TEXT) if own else "",
                "channel": render.text(config.channel),
                "username": render.text(config.username),
                "icon_url": render.text(config.icon_url),
                "icon_emoji": render.text(config.icon_emoji),
                "attachments": [_attachment(render, each) for each in own or (config,)],
                "type": render.text(config.type),
            }
        )
        if config.props is not None and config.props.card:
            message["props"] = without_empty({"card": render.text(config.props.card)})
        if config.priority is not None and config.priority.priority:
            message["priority"] = _priority(render, config.priority)
        return message


def _attachment(render: Render, given: Attachment | MattermostConfig) -> dict[str, Any]:
    found = {
        name: _fields(render, given.fields) if name == "fields" else render.text(given[name])
        for name in _PARTS
    }
    return without_empty(found)


def _fields(render: Render, fields: tuple[Field, ...]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for field in fields:
        found: dict[str, Any] = without_empty(
            {"title": render.text(field.title), "value": render.text(field.value)}
        )
        if field.short is not None:
            found["short"] = field.short
        made.append(found)
    return made


def _priority(render: Render, given: Priority) -> dict[str, Any]:
    """What Mattermost takes: an acknowledgement for what is important, notifications again and again for what
    is urgent; a value that it does not know is ``standard``."""
    word = render.text(given.priority).lower()
    if word not in ("urgent", "important"):
        word = "standard"
    return without_empty(
        {
            "priority": word,
            "requested_ack": given.requested_ack and word != "standard",
            "persistent_notifications": given.persistent_notifications and word == "urgent",
        }
    )


KIND: Final = Kind(MattermostConfig, MattermostNotifier)
