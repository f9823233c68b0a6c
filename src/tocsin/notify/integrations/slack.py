"""Slack: a message with one attachment, to an incoming webhook or, with an app's token, to the Web API.

Slack reports errors with status 200 and a body; a webhook's success is the text ``ok``. With
``update_message`` a group's later notifications change its first message, whose name the notification log
keeps (``threadTs`` and ``channelId``, as Alertmanager's peers do).
"""

from __future__ import annotations

from typing import Any, Final

from tocsin.alerting.duration import format_go_duration
from tocsin.alerting.nflog import ReceiverData
from tocsin.alerting.notification import Notification
from tocsin.alerting.quote import go_quote
from tocsin.config.httpclient import Authorization
from tocsin.config.readers import list_of, secret, template
from tocsin.config.readers import text as plain_text
from tocsin.config.scalars import boolean, go_duration, secret_url, url
from tocsin.config.schema import Section, option
from tocsin.config.texts import MaskedURL, Secret, Template
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
from tocsin.notify.integrations.json import encode, members, without_empty
from tocsin.notify.integrations.truncate import in_characters

POST_URL: Final = "https://slack.com/api/chat.postMessage"
UPDATE_URL: Final = "https://slack.com/api/chat.update"
MAX_TITLE: Final = 1024
"""Characters, by Slack's reference of attachments."""
MARKDOWN_IN: Final = ("fallback", "pretext", "text")
MAX_REMEMBERED: Final = 255
"""Characters of a message's time stamp or channel that are kept; Slack's have some twenty."""
_NO_SECRET: Final = Secret("")


def _default(name: str) -> Template:
    return Template(f'{{{{ template "slack.default.{name}" . }}}}')


class Confirmation(Section):
    """``confirm`` of an action."""

    text: str = option(template, default=Template(""))
    title: str = option(template, default=Template(""))
    ok_text: str = option(template, default=Template(""))
    dismiss_text: str = option(template, default=Template(""))

    def check(self) -> None:
        """It has a text."""
        if not self.text:
            raise self.mark.error("missing text in Slack confirmation configuration", "add text:")


class Action(Section):
    """One of ``actions``: a link (``url``), or a message to the app (``name``)."""

    type: str = option(template, default=Template(""))
    text: str = option(template, default=Template(""))
    url: str = option(template, default=Template(""))
    style: str = option(template, default=Template(""))
    name: str = option(template, default=Template(""))
    value: str = option(template, default=Template(""))
    confirm: Confirmation | None = option(Confirmation.read, default=None)

    def check(self) -> None:
        """Type and text are given, and a URL or a name; a link drops the keys of a message."""
        for name in ("type", "text"):
            if not self[name]:
                raise self.mark.error(f"missing {name} in Slack action configuration", f"add {name}:")
        if self.url:
            self.amend(name=Template(""), value=Template(""), confirm=None)
        elif not self.name:
            raise self.mark.error("missing name or url in Slack action configuration", "add url:")


class Field(Section):
    """One of ``fields``."""

    title: str = option(template, default=Template(""))
    value: str = option(template, default=Template(""))
    short: bool | None = option(boolean, default=None)
    """Absent: ``short_fields`` decides."""

    def check(self) -> None:
        """Both of its texts."""
        for name in ("title", "value"):
            if not self[name]:
                raise self.mark.error(f"missing {name} in Slack field configuration", f"add {name}:")


class SlackConfig(HTTPIntegrationConfig, kind="slack"):
    """One of ``slack_configs``."""

    send_resolved: bool = option(boolean, default=False, always=True)
    api_url: str = option(secret_url, default=_NO_SECRET)
    api_url_file: str = option(plain_text, default="")
    app_token: str = option(secret, default=_NO_SECRET)
    """Becomes the ``authorization`` of ``http_config``; ``app_url`` becomes the URL."""
    app_token_file: str = option(plain_text, default="")
    app_url: str = option(url, default=MaskedURL(""), inherit="slack_app_url")
    channel: str = option(template, default=Template(""))
    username: str = option(template, default=_default("username"))
    color: str = option(template, default=_default("color"))
    title: str = option(template, default=_default("title"))
    title_link: str = option(template, default=_default("titlelink"))
    pretext: str = option(template, default=_default("pretext"))
    text: str = option(template, default=_default("text"))
    message_text: str = option(template, default=Template(""))
    """The text of the message itself, above the attachment."""
    fields: tuple[Field, ...] = option(list_of(Field.read), default=())
    short_fields: bool = option(boolean, default=False, always=True)
    footer: str = option(template, default=_default("footer"))
    fallback: str = option(template, default=_default("fallback"))
    callback_id: str = option(template, default=_default("callbackid"))
    icon_emoji: str = option(template, default=_default("iconemoji"))
    icon_url: str = option(template, default=_default("iconurl"))
    image_url: str = option(template, default=Template(""))
    thumb_url: str = option(template, default=Template(""))
    link_names: bool = option(boolean, default=False, always=True)
    mrkdwn_in: tuple[str, ...] = option(list_of(plain_text), default=())
    """Not templates; if empty: ``MARKDOWN_IN``."""
    actions: tuple[Action, ...] = option(list_of(Action.read), default=())
    update_message: bool = option(boolean, default=False, always=True)
    timeout: int = option(go_duration, default=0, always=True, show=format_go_duration)
    """Time limit of a request, nanoseconds; 0 or less: only the notification's deadline."""

    def check(self) -> None:
        """One URL or one token, its own or from ``global``; ``update_message`` needs the Web API."""
        self.at_most_one("api_url", "api_url_file")
        self.at_most_one("app_token", "app_token_file")
        if (self.api_url or self.api_url_file) and (self.app_token or self.app_token_file):
            raise self.at("app_token" if self.app_token else "app_token_file").error(
                "at most one of api_url/api_url_file & app_token/app_token_file must be configured",
                "remove one",
            )
        self._inherit()
        if not any((self.api_url, self.api_url_file, self.app_token, self.app_token_file)):
            raise self.mark.error(
                "no Slack API URL nor App token set either inline or in a file",
                "add api_url:, or slack_api_url: to global",
            )
        if self.app_token or self.app_token_file:
            self._use_token()
        if self.update_message and self.api_url != POST_URL:
            raise self.at("update_message").error(
                f"update_message can only be used with bot tokens. api_url must be set to {POST_URL}",
                f"set api_url to {POST_URL}",
            )

    def _inherit(self) -> None:
        """Take the token of ``global`` only if this section has no credentials; take the URL if there is
        none."""
        outer = self.mark.reading.globals
        if outer is None:
            return
        own_ways = (
            self.app_token,
            self.app_token_file,
            self.api_url,
            self.api_url_file,
            self.has("http_config") and self.http_config.authorization,
        )
        if not any(own_ways):
            self.amend(app_token=outer["slack_app_token"], app_token_file=outer["slack_app_token_file"])
        if not self.api_url and not self.api_url_file:
            self.amend(api_url=outer["slack_api_url"], api_url_file=outer["slack_api_url_file"])

    def _use_token(self) -> None:
        if self.http_config.authorization is not None:
            raise self.at("http_config").error(
                "http authorization can't be set when using Slack App tokens", "remove authorization"
            )
        authorization = Authorization(
            credentials=self.app_token, credentials_file=self.mark.beside(self.app_token_file)
        )
        self.amend(
            http_config=self.http_config.replaced(authorization=authorization), api_url=Secret(self.app_url)
        )


class SlackNotifier:
    """Success is 2xx with a body that says so. 5xx, network errors and invalid JSON are retried."""

    retry: Final = RetryRule()

    def __init__(self, config: SlackConfig, services: Services) -> None:
        self._config = config
        self._services = services
        self._http = services.http(config.http_config)

    async def notify(self, notification: Notification) -> ReceiverData | None:
        """Post the message once, or update the existing one; returns its time stamp and channel, to be
        remembered."""
        config, services = self._config, self._services
        file = "" if config.api_url else config.api_url_file
        target = await read_secret(services.secrets, config.api_url, file, what="api_url_file")
        stamp, channel = _remembered(notification) if config.update_message else ("", "")
        if stamp:
            target = UPDATE_URL
        told, body = await services.compose(notification, lambda render: self._build(render, stamp, channel))
        answer = await self._http.post_within(config.timeout, "slack", target, body)
        try:
            answer.check(self.retry)
            given = _judged(answer)
        except NotifyError as failure:
            error = f"channel {go_quote(told)}: {failure}"
            raise NotifyError(error, retry=failure.retry, reason=failure.reason) from None
        return given if config.update_message else None

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()

    def _build(self, render: Render, stamp: str, channel: str) -> tuple[str, bytes]:
        """The channel, and the message with the fields in the order of Alertmanager's."""
        config = self._config
        channel = channel or render.text(config.channel)
        message = {
            "channel": channel,
            "ts": stamp,
            "username": render.text(config.username),
            "icon_emoji": render.text(config.icon_emoji),
            "icon_url": render.text(config.icon_url),
            "link_names": config.link_names,
            "text": render.text(config.message_text),
            "attachments": [self._attachment(render)],
        }
        return channel, encode(without_empty(message))

    def _attachment(self, render: Render) -> dict[str, Any]:
        config = self._config
        attachment = {
            "title": in_characters(render.text(config.title), MAX_TITLE),
            "title_link": render.text(config.title_link),
            "pretext": render.text(config.pretext),
            "text": render.text(config.text),
            "fallback": render.text(config.fallback),
            "callback_id": render.text(config.callback_id),
            "fields": [self._field(render, field) for field in config.fields],
            "actions": [_action(render, action) for action in config.actions],
            "image_url": render.text(config.image_url),
            "thumb_url": render.text(config.thumb_url),
            "footer": render.text(config.footer),
            "color": render.text(config.color),
            "mrkdwn_in": config.mrkdwn_in or MARKDOWN_IN,
        }
        return without_empty(attachment, always=("text", "fallback", "callback_id", "footer"))

    def _field(self, render: Render, field: Field) -> dict[str, Any]:
        short = self._config.short_fields if field.short is None else field.short
        made = {"title": render.text(field.title), "value": render.text(field.value), "short": short}
        return without_empty(made, always=("short",))


def _action(render: Render, action: Action) -> dict[str, Any]:
    names = ("type", "text", "url", "style", "name", "value")
    made: dict[str, Any] = without_empty({name: render.text(action[name]) for name in names})
    if action.confirm is not None:
        confirm = action.confirm
        made["confirm"] = without_empty({name: render.text(confirm[name]) for name in confirm.options})
    return made


def _remembered(notification: Notification) -> tuple[str, str]:
    """The time stamp and the channel of the existing message, or nothing."""
    held = notification.receiver_data
    stamp, channel = held.get("threadTs"), held.get("channelId")
    if not isinstance(stamp, str) or not isinstance(channel, str):
        return "", ""
    if (
        not stamp or not channel or max(len(stamp), len(channel)) > MAX_REMEMBERED
    ):  # It may come from a peer: check it.
        return "", ""
    return stamp, channel


def _judged(answer: Answer) -> ReceiverData | None:
    """Time stamp and channel of the accepted message; :class:`NotifyError` if it was refused."""
    if not answer.headers.get("content-type", "").startswith("application/json"):
        if answer.body != b"ok":
            raise NotifyError(
                f"received an error response from Slack: {excerpt(answer.body)}", reason="clientError"
            )
        return None
    try:
        told = members(answer.body)
        good, error, stamp, channel = (told.get(name) for name in ("ok", "error", "ts", "channel"))
        if not isinstance(good, bool | None) or not all(
            isinstance(each, str | None) for each in (error, stamp, channel)
        ):
            raise ValueError
    except ValueError:
        problem = f"could not unmarshal JSON response {go_quote(excerpt(answer.body))}"
        raise NotifyError(problem, retry=True, reason="clientError") from None
    if not good:
        raise NotifyError(f"error response from Slack: {error or ''}", reason="clientError")
    if not stamp or not channel or max(len(stamp), len(channel)) > MAX_REMEMBERED:
        return None
    return {"threadTs": stamp, "channelId": channel}


KIND: Final = Kind(SlackConfig, SlackNotifier)
