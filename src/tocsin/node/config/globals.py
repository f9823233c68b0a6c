"""``global`` of the file.

Most of it is for integrations that this version does not send through. It is read all the same, so that one
file can serve a cluster of both kinds of node, and shown as Alertmanager shows it.
"""

# ruff: noqa: RUF009 - an option is a field, as dataclasses.field() is

from __future__ import annotations

from dataclasses import dataclass

from tocsin.alerting.timestamp import SECOND
from tocsin.node.config.httpclient import HTTPClientSection, TLSSection, check_tls, read_http
from tocsin.node.config.routing import show_duration
from tocsin.node.config.scalars import boolean, duration, host_port, mask_password, secret_url, url
from tocsin.node.config.schema import Secret, Section, option, secret, section, text

_NO_SECRET = Secret("")
_ONE_SOURCE = (
    "slack_app_token",
    "slack_api_url",
    "opsgenie_api_key",
    "victorops_api_key",
    "telegram_bot_token",
    "smtp_auth_password",
    "smtp_auth_secret",
    "rocketchat_token",
    "rocketchat_token_id",
    "wechat_api_secret",
    "mattermost_webhook_url",
)
"""Each is given as it is or, with ``_file`` added, by a file: not both."""


def _url(default: str) -> str:
    return option(url, default, show=mask_password)


@dataclass(kw_only=True)
class GlobalSection(Section):
    """All keys, in the order in which Alertmanager shows them."""

    resolve_timeout: int = option(duration, 5 * 60 * SECOND, always=True, show=show_duration)
    http_config: HTTPClientSection = option(read_http, HTTPClientSection())
    jira_api_url: str = _url("")
    smtp_from: str = option(text, "")
    smtp_hello: str = option(text, "localhost")
    smtp_smarthost: str = option(host_port, "")
    smtp_auth_username: str = option(text, "")
    smtp_auth_password: Secret = option(secret, _NO_SECRET)
    smtp_auth_password_file: str = option(text, "")
    smtp_auth_secret: Secret = option(secret, _NO_SECRET)
    smtp_auth_secret_file: str = option(text, "")
    smtp_auth_identity: str = option(text, "")
    smtp_require_tls: bool = option(boolean, True, always=True)
    smtp_tls_config: TLSSection = option(section(TLSSection, check_tls), TLSSection())
    smtp_force_implicit_tls: bool | None = option(boolean, None)
    slack_api_url: Secret = option(secret_url, _NO_SECRET)
    slack_api_url_file: str = option(text, "")
    slack_app_token: Secret = option(secret, _NO_SECRET)
    slack_app_token_file: str = option(text, "")
    slack_app_url: str = _url("https://slack.com/api/chat.postMessage")
    pagerduty_url: str = _url("https://events.pagerduty.com/v2/enqueue")
    opsgenie_api_url: str = _url("https://api.opsgenie.com/")
    opsgenie_api_key: Secret = option(secret, _NO_SECRET)
    opsgenie_api_key_file: str = option(text, "")
    wechat_api_url: str = _url("https://qyapi.weixin.qq.com/cgi-bin/")
    wechat_api_secret: Secret = option(secret, _NO_SECRET)
    wechat_api_secret_file: str = option(text, "")
    wechat_api_corp_id: str = option(text, "")
    victorops_api_url: str = _url("https://alert.victorops.com/integrations/generic/20131114/alert/")
    victorops_api_key: Secret = option(secret, _NO_SECRET)
    victorops_api_key_file: str = option(text, "")
    telegram_api_url: str = _url("https://api.telegram.org")
    telegram_bot_token: Secret = option(secret, _NO_SECRET)
    telegram_bot_token_file: str = option(text, "")
    webex_api_url: str = _url("https://webexapis.com/v1/messages")
    rocketchat_api_url: str = _url("https://open.rocket.chat/")
    rocketchat_token: Secret = option(secret, _NO_SECRET)
    rocketchat_token_file: str = option(text, "")
    rocketchat_token_id: Secret = option(secret, _NO_SECRET)
    rocketchat_token_id_file: str = option(text, "")
    mattermost_webhook_url: Secret = option(secret_url, _NO_SECRET)
    mattermost_webhook_url_file: str = option(text, "")


def _check_global(found: GlobalSection) -> None:
    for name in _ONE_SOURCE:
        given = f"{name}_file"
        if getattr(found, name) and getattr(found, given):
            raise found.at(given).error(
                f"at most one of {name} & {given} must be configured", f"remove {given}"
            )
    token = found.slack_app_token or found.slack_app_token_file
    if token and (
        found.slack_api_url_file or (found.slack_api_url and found.slack_api_url != found.slack_app_url)
    ):
        raise found.at("slack_app_token").error(
            "at most one of slack_app_token/slack_app_token_file & slack_api_url/slack_api_url_file"
            " must be configured"
        )


read_global = section(GlobalSection, _check_global)
