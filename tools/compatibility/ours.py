"""What Tocsin has, as its code declares it."""

from __future__ import annotations

from typing import Final

from tocsin.config.globals import GlobalConfig
from tocsin.config.httpclient import Authorization, BasicAuth, HTTPClientConfig, OAuth2, TLSClientConfig
from tocsin.config.schema import Section
from tocsin.errors import ConfigError
from tocsin.node.config import observing, routing, timeintervals
from tocsin.node.config.alertmanager import AlertmanagerConfig, parse_config
from tocsin.node.config.commandline import declared_flags
from tocsin.node.config.flags import NodeFlags
from tocsin.node.config.receivers import ReceiverConfig
from tocsin.notify.integrations import email, jira, mattermost, opsgenie, pagerduty, rocketchat, slack, sns
from tocsin.notify.integrations.registry import KINDS

SECTIONS: Final[dict[str, type[Section]]] = {
    "(file)": AlertmanagerConfig,
    "global": GlobalConfig,
    "route": routing.RouteSection,
    "inhibit_rules": routing.InhibitSection,
    "receivers": ReceiverConfig,
    "time_intervals": timeintervals.NamedIntervalsSection,
    "time_intervals.time_intervals": timeintervals.TimeIntervalSection,
    "time_intervals.time_intervals.times": timeintervals.TimeRangeSection,
    "tracing": observing.TracingConfig,
    "event_recorder": observing.EventRecorderConfig,
    "event_recorder.file_outputs": observing.FileOutputConfig,
    "event_recorder.kafka_outputs": observing.KafkaOutputConfig,
    "event_recorder.webhook_outputs": observing.WebhookOutputConfig,
    "http_config": HTTPClientConfig,
    "http_config.basic_auth": BasicAuth,
    "http_config.authorization": Authorization,
    "http_config.oauth2": OAuth2,
    "tls_config": TLSClientConfig,
    "email_configs.threading": email.ThreadingConfig,
    "jira_configs.summary": jira.UpdatedText,
    "mattermost_configs.attachments": mattermost.Attachment,
    "mattermost_configs.fields": mattermost.Field,
    "mattermost_configs.priority": mattermost.Priority,
    "mattermost_configs.props": mattermost.Props,
    "opsgenie_configs.responders": opsgenie.Responder,
    "pagerduty_configs.images": pagerduty.Image,
    "pagerduty_configs.links": pagerduty.Link,
    "rocketchat_configs.actions": rocketchat.Action,
    "rocketchat_configs.fields": rocketchat.Field,
    "slack_configs.actions": slack.Action,
    "slack_configs.actions.confirm": slack.Confirmation,
    "slack_configs.fields": slack.Field,
    "sns_configs.sigv4": sns.SigV4Config,
    **{kind.key: kind.load().config for kind in KINDS},
}
"""Every section of the file, by its place; what is within ``http_config`` and ``tls_config`` once."""


def flags() -> dict[str, str]:
    """By name: what the value may be."""
    return {
        name: ("switch" if flag.switch else "value") + " repeatable" * flag.repeatable
        for name, (_, flag) in declared_flags(NodeFlags).items()
        if name == flag.name
    }


def has_key(section: str, key: str) -> bool:
    """Whether the section of the file has the key."""
    return key in SECTIONS[section].options


LEAST: Final = {
    "tracing": "tracing: {endpoint: 'localhost:1'}",
    "event_recorder.file_outputs": "event_recorder: {file_outputs: [{path: x}]}",
    "event_recorder.kafka_outputs": "event_recorder: {kafka_outputs: [{brokers: ['h:1'], topic: t}]}",
    "event_recorder.stdout_outputs": "event_recorder: {stdout_outputs: [{}]}",
    "event_recorder.webhook_outputs": "event_recorder: {webhook_outputs: [{url: 'http://h/'}]}",
}
"""Sections that a version may read and not serve, by place; each with the least that a file says of it."""


def served(section: str) -> bool:
    """Whether a section of :data:`LEAST` is more than read and refused."""
    file = f"route: {{receiver: r}}\nreceivers: [{{name: r}}]\n{LEAST[section]}\n"
    try:
        parse_config(file, path="f")
    except ConfigError as error:
        return "not supported" not in str(error)
    return True
