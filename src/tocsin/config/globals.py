"""``global`` of the file: what the other sections inherit, by the names of these keys. Every key is read and
shown as Alertmanager does.
"""

from __future__ import annotations

from tocsin.alerting.timestamp import SECOND
from tocsin.config.httpclient import HTTPClientConfig, WorkingFolderTLS
from tocsin.config.readers import secret, text
from tocsin.config.scalars import boolean, duration, host_port, secret_url, show_duration, url
from tocsin.config.schema import Section, option
from tocsin.config.texts import MaskedURL, Secret

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
"""Keys that are given as a value or, with ``_file`` added, as a file: not both."""


def _url(default: str) -> str:
    return option(url, default=MaskedURL(default))


class GlobalConfig(Section):
    """All keys, in the order in which Alertmanager shows them."""

    resolve_timeout: int = option(duration, default=5 * 60 * SECOND, always=True, show=show_duration)
    http_config: HTTPClientConfig = option(
        HTTPClientConfig.read, default=HTTPClientConfig(), null=HTTPClientConfig.unseen(), always=True
    )
    jira_api_url: str = _url("")
    smtp_from: str = option(text, default="")
    smtp_hello: str = option(text, default="localhost")
    smtp_smarthost: str = option(host_port, default="")
    smtp_auth_username: str = option(text, default="")
    smtp_auth_password: str = option(secret, default=_NO_SECRET)
    smtp_auth_password_file: str = option(text, default="")
    smtp_auth_secret: str = option(secret, default=_NO_SECRET)
    smtp_auth_secret_file: str = option(text, default="")
    smtp_auth_identity: str = option(text, default="")
    smtp_require_tls: bool = option(boolean, default=True, always=True)
    smtp_tls_config: WorkingFolderTLS = option(
        WorkingFolderTLS.read, default=WorkingFolderTLS(), null=WorkingFolderTLS.unseen(), always=True
    )
    smtp_force_implicit_tls: bool | None = option(boolean, default=None)
    slack_api_url: str = option(secret_url, default=_NO_SECRET)
    slack_api_url_file: str = option(text, default="")
    slack_app_token: str = option(secret, default=_NO_SECRET)
    slack_app_token_file: str = option(text, default="")
    slack_app_url: str = _url("https://slack.com/api/chat.postMessage")
    pagerduty_url: str = _url("https://events.pagerduty.com/v2/enqueue")
    opsgenie_api_url: str = _url("https://api.opsgenie.com/")
    opsgenie_api_key: str = option(secret, default=_NO_SECRET)
    opsgenie_api_key_file: str = option(text, default="")
    wechat_api_url: str = _url("https://qyapi.weixin.qq.com/cgi-bin/")
    wechat_api_secret: str = option(secret, default=_NO_SECRET)
    wechat_api_secret_file: str = option(text, default="")
    wechat_api_corp_id: str = option(text, default="")
    victorops_api_url: str = _url("https://alert.victorops.com/integrations/generic/20131114/alert/")
    victorops_api_key: str = option(secret, default=_NO_SECRET)
    victorops_api_key_file: str = option(text, default="")
    telegram_api_url: str = _url("https://api.telegram.org")
    telegram_bot_token: str = option(secret, default=_NO_SECRET)
    telegram_bot_token_file: str = option(text, default="")
    webex_api_url: str = _url("https://webexapis.com/v1/messages")
    rocketchat_api_url: str = _url("https://open.rocket.chat/")
    rocketchat_token: str = option(secret, default=_NO_SECRET)
    rocketchat_token_file: str = option(text, default="")
    rocketchat_token_id: str = option(secret, default=_NO_SECRET)
    rocketchat_token_id_file: str = option(text, default="")
    mattermost_webhook_url: str = option(secret_url, default=_NO_SECRET)
    mattermost_webhook_url_file: str = option(text, default="")

    def check(self) -> None:
        """One source for each secret."""
        for name in _ONE_SOURCE:
            given = f"{name}_file"
            if self[name] and self[given]:
                raise self.at(given).error(
                    f"at most one of {name} & {given} must be configured", f"remove {given}"
                )
        token = self.slack_app_token or self.slack_app_token_file
        if token and (
            self.slack_api_url_file or (self.slack_api_url and self.slack_api_url != self.slack_app_url)
        ):
            raise self.at("slack_app_token").error(
                "at most one of slack_app_token/slack_app_token_file & slack_api_url/slack_api_url_file"
                " must be configured"
            )
