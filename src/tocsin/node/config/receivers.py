"""``receivers`` of the file. This version sends webhooks; the other kinds are known by name and refused."""

# ruff: noqa: RUF009 - an option is a field, as dataclasses.field() is

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tocsin.alerting.config import HTTPClientConfig, ReceiverConfig, WebhookConfig
from tocsin.alerting.duration import format_go_duration
from tocsin.alerting.quote import go_quote
from tocsin.node.config.httpclient import HTTPClientSection, http_client_config, read_http
from tocsin.node.config.scalars import boolean, check_url, go_duration, unsigned
from tocsin.node.config.schema import (
    SECRET_TEXT,
    Reader,
    Secret,
    Section,
    list_of,
    map_of,
    option,
    refused,
    secret,
    section,
    text,
)
from tocsin.node.config.yaml import Node

_NO_SECRET = Secret("")


def _template_url(node: Node) -> Secret:
    written = secret(node)
    if "{{" in written:
        raise node.mark.error(
            "a template in a webhook's url is not offered by this version", "write the URL out"
        )
    if written not in ("", SECRET_TEXT):
        try:
            check_url(written)
        except ValueError as error:
            raise node.mark.error(
                f"invalid URL: {error}", "a URL looks like https://host:port/path"
            ) from None
    return written


@dataclass(kw_only=True)
class WebhookSection(Section):
    """One of ``webhook_configs``."""

    send_resolved: bool = option(boolean, True, always=True)
    http_config: HTTPClientSection | None = option(read_http, None)
    url: Secret = option(_template_url, _NO_SECRET)
    url_file: str = option(text, "", always=True)
    max_alerts: int = option(unsigned, 0, always=True)
    timeout: int = option(go_duration, 0, always=True, show=format_go_duration)
    payload: Any = option(
        refused(
            "a payload of one's own is not offered by this version", "remove it for the standard message"
        ),
        None,
    )

    def build(self, default_http: HTTPClientConfig) -> WebhookConfig:
        """What the domain gets. A relative ``url_file`` stays one, as in Alertmanager: it is of the working
        folder."""
        http = self.http_config
        return WebhookConfig(
            url=self.url,
            url_file=self.url_file,
            http=default_http if http is None else http_client_config(http),
            max_alerts=self.max_alerts,
            timeout=max(self.timeout, 0),
            send_resolved=self.send_resolved,
        )


def _check_webhook(webhook: WebhookSection) -> None:
    if not webhook.url and not webhook.url_file:
        raise webhook.mark.error("one of url or url_file must be configured", "add url:")
    if webhook.url and webhook.url_file:
        raise webhook.at("url_file").error("at most one of url & url_file must be configured", "remove one")


def _other_kind(kind: str) -> Any:
    reason = f"{kind}_configs: this version sends webhooks only"
    mend = "use webhook_configs; an Alertmanager in the same cluster can go on sending by its own file"
    return option(refused(reason, mend), None)


@dataclass(kw_only=True)
class ReceiverSection(Section):
    """A receiver. The kinds of integration are in the order in which Alertmanager shows them."""

    name: str = option(text, "", always=True)
    labels: dict[str, str] = option(map_of(text), {})
    discord_configs: Any = _other_kind("discord")
    email_configs: Any = _other_kind("email")
    incidentio_configs: Any = _other_kind("incidentio")
    pagerduty_configs: Any = _other_kind("pagerduty")
    slack_configs: Any = _other_kind("slack")
    webhook_configs: tuple[WebhookSection, ...] = option(list_of(section(WebhookSection, _check_webhook)), ())
    opsgenie_configs: Any = _other_kind("opsgenie")
    wechat_configs: Any = _other_kind("wechat")
    pushover_configs: Any = _other_kind("pushover")
    victorops_configs: Any = _other_kind("victorops")
    sns_configs: Any = _other_kind("sns")
    telegram_configs: Any = _other_kind("telegram")
    webex_configs: Any = _other_kind("webex")
    msteams_configs: Any = _other_kind("msteams")
    msteamsv2_configs: Any = _other_kind("msteamsv2")
    jira_configs: Any = _other_kind("jira")
    rocketchat_configs: Any = _other_kind("rocketchat")
    mattermost_configs: Any = _other_kind("mattermost")

    def build(self, default_http: HTTPClientConfig) -> ReceiverConfig:
        """What the domain gets."""
        return ReceiverConfig(
            name=self.name,
            integrations=tuple(webhook.build(default_http) for webhook in self.webhook_configs),
            labels=MappingProxyType(dict(self.labels)),
        )


def _check_receiver(receiver: ReceiverSection) -> None:
    if not receiver.name:
        raise receiver.mark.error("missing name in receiver", "add name:")
    label = receiver.labels.get("name", receiver.name)
    if label != receiver.name:
        raise receiver.at("labels").error(
            f'receiver label "name" must match receiver name {go_quote(receiver.name)}, got {go_quote(label)}'
        )
    receiver.labels = {**receiver.labels, "name": receiver.name}


read_receivers: Reader[tuple[ReceiverSection, ...]] = list_of(section(ReceiverSection, _check_receiver))
