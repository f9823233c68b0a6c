"""WeChat Work: sends a message by its API, with an access token that is fetched when there is none."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from tocsin.alerting.notification import Notification
from tocsin.config.readers import secret_template, template
from tocsin.config.readers import text as plain
from tocsin.config.scalars import boolean
from tocsin.config.scalars import url as any_url
from tocsin.config.schema import option
from tocsin.config.texts import MaskedURL, SecretTemplate, Template
from tocsin.notify.integrations.base import (
    HTTPIntegrationConfig,
    Kind,
    NotifyError,
    Render,
    RetryRule,
    Services,
    read_secret,
)
from tocsin.notify.integrations.json import members, without_empty
from tocsin.notify.integrations.url import extended, with_slash

TOKEN_SECONDS: Final = 2 * 60 * 60
"""Seconds for which a token is used: WeChat's are valid for as long."""

_EXPIRED: Final = 42001
_INVALID: Final = frozenset((40001, 40014, _EXPIRED))
"""Error codes for an invalid token. Alertmanager knows only the last one, and goes on using the token for
hours at the others."""


def _named(what: str) -> str:
    return Template(f'{{{{ template "wechat.default.{what}" . }}}}')


class WechatConfig(HTTPIntegrationConfig, kind="wechat"):
    """One of ``wechat_configs``."""

    send_resolved: bool = option(boolean, default=False, always=True)
    api_secret: str = option(secret_template, default=SecretTemplate(""), inherit="wechat_api_secret")
    api_secret_file: str = option(plain, default="", inherit="wechat_api_secret_file")
    corp_id: str = option(template, default=Template(""), inherit="wechat_api_corp_id")
    message: str = option(template, default=_named("message"))
    api_url: str = option(any_url, default=MaskedURL(""), inherit="wechat_api_url")
    to_user: str = option(template, default=_named("to_user"))
    to_party: str = option(template, default=_named("to_party"))
    to_tag: str = option(template, default=_named("to_tag"))
    agent_id: str = option(template, default=_named("agent_id"))
    message_type: str = option(plain, default="text", null="text")

    def check(self) -> None:
        """A secret, a corporation and a type that WeChat knows."""
        if not self.message_type:
            self.amend(message_type="text")
        if self.message_type not in ("text", "markdown"):
            raise self.at("message_type").error(
                f"message_type {self.message_type!r} is not valid", "write text or markdown"
            )
        self.at_most_one(
            "api_secret", "api_secret_file", least="add api_secret:, or wechat_api_secret: to global:"
        )
        if not self.corp_id:
            raise self.mark.error("no corp_id, and no wechat_api_corp_id in global", "add corp_id:")
        if not self.api_url:
            raise self.mark.error("no api_url, and no wechat_api_url in global", "add api_url:")
        self.amend(api_url=MaskedURL(with_slash(self.api_url)))


class WechatNotifier:
    """Whatever the status, a refused message is tried again; what the body refuses is not, but for an expired
    token."""

    retry: Final = RetryRule(success=frozenset((200,)), codes=range(100, 600))

    def __init__(self, config: WechatConfig, services: Services) -> None:
        self._config, self._services = config, services
        self._http = services.http(config.http_config)
        self._fetching = asyncio.Lock()
        self._token = ""
        self._fetched = 0.0

    async def notify(self, notification: Notification) -> None:
        """Send the message once, after a token was fetched if there is none."""
        config = self._config
        token = await self._a_token(notification)

        def build(render: Render) -> dict[str, Any]:
            content = {"content": render.text(config.message)}
            markdown = config.message_type == "markdown"
            return without_empty(
                {
                    "text": {"content": ""} if markdown else content,
                    "touser": render.text(config.to_user),
                    "toparty": render.text(config.to_party),
                    "totag": render.text(config.to_tag),
                    "agentid": render.text(config.agent_id),
                    "safe": "0",
                    "msgtype": config.message_type,
                    "markdown": content if markdown else {"content": ""},
                }
            )

        message = await self._services.compose(notification, build)
        url = extended(config.api_url, "message/send", access_token=token)
        answer = await self._http.post_json(url, message)
        answer.check(self.retry)
        said = _read(answer.body, retry=True)
        code = said.get("errcode", 0)
        if not isinstance(code, int):
            raise NotifyError("the answer's errcode is not a number", retry=True)
        if not code:
            return
        if code in _INVALID and token == self._token:
            self._token = ""
        raise NotifyError(
            f"WeChat refused the message: {code}: {said.get('errmsg', '')}", retry=code == _EXPIRED
        )

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()

    async def _a_token(self, notification: Notification) -> str:
        """The current token, or a new one. Notifications that need a new one at the same time share the
        request."""
        clock = asyncio.get_running_loop().time
        async with self._fetching:
            if not self._token or clock() - self._fetched > TOKEN_SECONDS:
                self._token = ""
                self._token = await self._fetch(notification)
                self._fetched = clock()
            return self._token

    async def _fetch(self, notification: Notification) -> str:
        config, services = self._config, self._services
        template = await read_secret(
            services.secrets, config.api_secret, config.api_secret_file, what="api_secret_file"
        )
        corporation, secret = await services.compose(
            notification, lambda render: (render.text(config.corp_id), render.text(template))
        )
        services.secrets.add(secret)
        address = config.api_url.partition("#")[0].partition("?")[0]
        url = extended(address, "gettoken", corpid=corporation, corpsecret=secret)
        answer = await self._http.get(url)
        said = _read(answer.body, retry=False)
        token = said.get("access_token")
        if not token or not isinstance(token, str):
            raise NotifyError(
                f"WeChat gave no access token: {said.get('errcode', '')}: {said.get('errmsg', '')}"
            )
        services.secrets.add(token)
        return token


def _read(body: bytes, *, retry: bool) -> dict[str, Any]:
    """The answer to a message, which is ``retry``ed and counts as a whole, or that with a token."""
    try:
        return members(body, whole=retry)
    except ValueError as error:
        raise NotifyError(f"WeChat's answer is {error}", retry=retry) from None


KIND: Final = Kind(WechatConfig, WechatNotifier)
