"""Rocket.Chat: posts a message by its REST API, with a user's token."""

from __future__ import annotations

from typing import Any, Final

from tocsin.alerting.notification import Notification
from tocsin.alerting.quote import go_quote
from tocsin.config.readers import list_of, secret, template
from tocsin.config.readers import text as plain
from tocsin.config.scalars import boolean
from tocsin.config.scalars import url as any_url
from tocsin.config.schema import Section, option
from tocsin.config.texts import MaskedURL, Secret, Template
from tocsin.notify.integrations.answer import MAX_ANSWER_BYTES
from tocsin.notify.integrations.base import (
    Answer,
    HTTPIntegrationConfig,
    Kind,
    NotifyError,
    Render,
    RetryRule,
    Services,
    excerpt,
    read_secret,
)
from tocsin.notify.integrations.json import members, without_empty
from tocsin.notify.integrations.truncate import in_characters
from tocsin.notify.integrations.url import joined

MAX_TITLE: Final = 1024
"""Characters."""


def _named(what: str) -> str:
    return Template(f'{{{{ template "rocketchat.default.{what}" . }}}}')


class Field(Section):
    """One of ``fields``."""

    short: bool | None = option(boolean, default=None, always=True)
    """Absent: ``short_fields`` decides."""
    title: str = option(template, default=Template(""), always=True)
    value: str = option(template, default=Template(""), always=True)


class Action(Section):
    """One of ``actions``. All of these keys are accepted; only text, URL and message of a button are sent."""

    type: str = option(plain, default="", always=True)
    text: str = option(template, default=Template(""), always=True)
    url: str = option(template, default=Template(""), always=True)
    imageurl: str = option(plain, default="", always=True)
    iswebview: bool = option(boolean, default=False, always=True)
    webviewheightratio: str = option(plain, default="", always=True)
    msg: str = option(template, default=Template(""), always=True)
    msginchatwindow: bool = option(boolean, default=False, always=True)
    msgprocessingtype: str = option(plain, default="", always=True)


class RocketchatConfig(HTTPIntegrationConfig, kind="rocketchat"):
    """One of ``rocketchat_configs``."""

    send_resolved: bool = option(boolean, default=False, always=True)
    api_url: str = option(any_url, default=MaskedURL(""), inherit="rocketchat_api_url")
    token_id: str = option(secret, default=Secret(""), inherit="rocketchat_token_id")
    token_id_file: str = option(plain, default="", inherit="rocketchat_token_id_file")
    token: str = option(secret, default=Secret(""), inherit="rocketchat_token")
    token_file: str = option(plain, default="", inherit="rocketchat_token_file")
    channel: str = option(template, default=Template(""))
    color: str = option(template, default=Template('{{ if eq .Status "firing" }}red{{ else }}green{{ end }}'))
    title: str = option(template, default=_named("title"))
    title_link: str = option(template, default=_named("titlelink"))
    text: str = option(template, default=_named("text"))
    fields: tuple[Field, ...] = option(list_of(Field.read), default=())
    short_fields: bool = option(boolean, default=False, always=True)
    emoji: str = option(template, default=_named("emoji"))
    icon_url: str = option(template, default=_named("iconurl"))
    image_url: str = option(template, default=Template(""))
    thumb_url: str = option(template, default=Template(""))
    link_names: bool = option(boolean, default=False, always=True)
    """Without effect, as in Alertmanager."""
    actions: tuple[Action, ...] = option(list_of(Action.read), default=())

    def check(self) -> None:
        """A token and the user it belongs to."""
        self.at_most_one("token", "token_file")
        self.at_most_one("token_id", "token_id_file")
        for name, what in (("token_id", "TokenID"), ("token", "Token")):
            if not self[name] and not self[f"{name}_file"]:
                raise self.mark.error(
                    f"no global Rocketchat {what} set either inline or in a file",
                    f"add {name}:, or rocketchat_{name}: to global",
                )


class RocketchatNotifier:
    """5xx, network errors and an answer that is not JSON are tried again."""

    retry: Final = RetryRule()

    def __init__(self, config: RocketchatConfig, services: Services) -> None:
        self._config = config
        self._services = services
        self._http = services.http(config.http_config)

    async def notify(self, notification: Notification) -> None:
        """Post the notification once."""
        config, secrets = self._config, self._services.secrets
        message = await self._services.compose(notification, self._message)
        token = await read_secret(secrets, config.token, config.token_file, what="token_file")
        token_id = await read_secret(secrets, config.token_id, config.token_id_file, what="token_id_file")
        answer = await self._http.post_json(
            joined(config.api_url, "api/v1/chat.postMessage"),
            message,
            headers=[("X-Auth-Token", token), ("X-User-Id", token_id)],
        )
        try:
            answer.check(self.retry)
            _check_body(answer)
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
        fields = [
            {
                "short": config.short_fields if field.short is None else field.short,
                **without_empty({"title": render.text(field.title), "value": render.text(field.value)}),
            }
            for field in config.fields
        ]
        attachment = {
            "title": in_characters(render.text(config.title), MAX_TITLE),
            "title_link": render.text(config.title_link),
            "text": render.text(config.text),
            "image_url": render.text(config.image_url),
            "thumb_url": render.text(config.thumb_url),
            "color": render.text(config.color),
            "fields": fields,
            "actions": [_button(render, action) for action in config.actions],
        }
        return without_empty(
            {
                "channel": render.text(config.channel),
                "emoji": render.text(config.emoji),
                "avatar": render.text(config.icon_url),
                "attachments": [without_empty(attachment)],
            }
        )


def _button(render: Render, action: Action) -> dict[str, Any]:
    return without_empty(
        {
            "type": "button",
            "text": render.text(action.text),
            "url": render.text(action.url),
            "is_webview": False,
            "msg": render.text(action.msg),
            "msg_in_chat_window": False,
        },
        always=("is_webview", "msg_in_chat_window"),
    )


def _check_body(answer: Answer) -> None:
    """Rocket.Chat says in the body of an answer of 200 whether it took the message."""
    body = answer.body
    if len(body) >= MAX_ANSWER_BYTES:
        return  # On success it repeats the message, which may be long; the answer of a failure is short.
    try:
        fields = members(body)
        success, error = fields.get("success", False), fields.get("error", "")
        if not isinstance(success, bool) or not isinstance(error, str):
            raise ValueError
    except ValueError:
        problem = f"could not unmarshal JSON response {go_quote(excerpt(body))}"
        raise NotifyError(problem, retry=True, reason="clientError") from None
    if not success:
        raise NotifyError(f"error response from Rocketchat: {error}", reason="clientError")


KIND: Final = Kind(RocketchatConfig, RocketchatNotifier)
