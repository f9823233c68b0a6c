"""Amazon SNS: one message to a topic, a phone or an endpoint."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from tocsin.alerting.notification import Notification
from tocsin.config.httpclient import HTTPClientConfig
from tocsin.config.readers import secret, template, text
from tocsin.config.scalars import boolean
from tocsin.config.schema import Section, option
from tocsin.config.texts import Secret, Template
from tocsin.config.yaml import Mapping, Node, describe
from tocsin.dataclass import dataclass
from tocsin.notify.integrations.aws import AWSClient, Profile, element, environment, read_profile
from tocsin.notify.integrations.base import (
    WATCHER,
    HTTPIntegrationConfig,
    Kind,
    NotifyError,
    Render,
    Services,
    group_hash,
)
from tocsin.notify.integrations.secrets import why
from tocsin.notify.integrations.sigv4 import Credentials
from tocsin.notify.integrations.truncate import cut_to

MAX_BYTES: Final = 256 * 1024
MAX_PHONE_BYTES: Final = 1600
"""Bytes of a message, and of one to a phone; a longer one is cut, and gets the attribute ``truncated``."""
SESSION_SECONDS: Final = 900
"""How long the keys of an assumed role are valid; they are used for one notification."""


_NO_KEYS: Final = Credentials("", "")


class SigV4Config(Section):
    """``sigv4``: the keys that sign. Without them: a profile of the shared files, or the environment's
    keys."""

    region: str = option(text, default="")
    access_key: str = option(text, default="")
    secret_key: str = option(secret, default=Secret(""))
    profile: str = option(text, default="")
    role_arn: str = option(text, default="")
    external_id: str = option(text, default="")
    use_fips_sts_endpoint: bool = option(boolean, default=False)

    def check(self) -> None:
        """Both halves of a key, or none."""
        if bool(self.access_key) != bool(self.secret_key):
            raise self.mark.error(
                "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the"
                " SigV4 config",
                "give both or none",
            )


def _attributes(node: Node) -> dict[str, str]:
    if not isinstance(node, Mapping):
        raise node.mark.error(f"expected a map, found {describe(node)}")
    return {template(written): template(value) for written, value in node.entries.values()}


class SNSConfig(HTTPIntegrationConfig, kind="sns"):
    """One of ``sns_configs``."""

    api_url: str = option(template, default=Template(""))
    sigv4: SigV4Config = option(SigV4Config.read, default=SigV4Config(), always=True)
    topic_arn: str = option(template, default=Template(""))
    phone_number: str = option(template, default=Template(""))
    target_arn: str = option(template, default=Template(""))
    subject: str = option(template, default=Template('{{ template "sns.default.subject" . }}'))
    message: str = option(template, default=Template('{{ template "sns.default.message" . }}'))
    attributes: dict[str, str] = option(_attributes, default={})
    use_aws_http_client: bool = option(boolean, default=False)
    """If set, only TLS and proxies of ``http_config`` are used; the same with ``AWS_CA_BUNDLE``."""

    def check(self) -> None:
        """Exactly one target."""
        if sum((bool(self.topic_arn), bool(self.phone_number), bool(self.target_arn))) % 2 == 0:
            raise self.mark.error(
                "must provide either a Target ARN, Topic ARN, or Phone Number for SNS config",
                "add topic_arn:, and neither of the others",
            )


@dataclass(frozen=True, slots=True)
class _Publish:
    api_url: str
    form: list[tuple[str, str]]


class SNSNotifier:
    """Some failures are retried at once, as by AWS's own client; then 5xx and network errors are retried like
    those of other kinds."""

    def __init__(self, config: SNSConfig, services: Services) -> None:
        self._config, self._services = config, services
        self._http = services.http(_http_config(config))
        self._aws = AWSClient(self._http)

    async def notify(self, notification: Notification) -> None:
        """Publish one message."""
        group = group_hash(notification)
        try:
            publish = await self._services.compose(notification, lambda render: self._publish(render, group))
        except NotifyError as failure:
            # Retried until the deadline, as by Alertmanager.
            raise NotifyError(str(failure), retry=True, reason="clientError") from None
        sigv4 = self._config.sigv4
        profile = await self._profile()
        region = sigv4.region or profile.region
        if not region:
            raise NotifyError("no region in sigv4.region, AWS_REGION or the shared files", retry=True)
        credentials = profile.credentials
        watcher = WATCHER.get()
        if credentials is None:
            if watcher is not None and watcher.dry:
                await self._send(publish, _NO_KEYS, region)  # to show it
            raise NotifyError(
                "no AWS keys in sigv4, the environment or the shared files (those of machines and"
                " containers are not asked for)",
                retry=True,
            )
        if sigv4.role_arn:
            credentials = await self._assume(credentials, region)
        await self._send(publish, credentials, region)

    async def _send(self, publish: _Publish, credentials: Credentials, region: str) -> None:
        await self._aws.call(
            publish.api_url or f"https://sns.{region}.{_domain(region)}",
            publish.form,
            credentials=credentials,
            region=region,
            service="sns",
            result="PublishResult",
        )

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()

    async def _profile(self) -> Profile:
        sigv4 = self._config.sigv4
        given = Credentials(sigv4.access_key, sigv4.secret_key) if sigv4.access_key else None
        if given is not None and sigv4.region:
            return Profile(given, sigv4.region)
        try:
            found = await asyncio.to_thread(read_profile, sigv4.profile, environment())
        except (OSError, ValueError) as error:
            raise NotifyError(f"AWS's shared files: {why(error)}", retry=True) from None
        if found.credentials is not None:
            self._services.secrets.add(found.credentials.secret_key, found.credentials.session_token)
        return Profile(given or found.credentials, found.region)

    async def _assume(self, credentials: Credentials, region: str) -> Credentials:
        """The keys of the role (AssumeRole)."""
        sigv4 = self._config.sigv4
        form = [
            ("Action", "AssumeRole"),
            ("Version", "2011-06-15"),
            ("DurationSeconds", str(SESSION_SECONDS)),
            ("RoleArn", sigv4.role_arn),
            ("RoleSessionName", f"tocsin-{time.time_ns()}"),
        ]
        if sigv4.external_id:
            form.append(("ExternalId", sigv4.external_id))
        host = "sts-fips" if sigv4.use_fips_sts_endpoint else "sts"
        body = await self._aws.call(
            f"https://{host}.{region}.{_domain(region)}",
            form,
            credentials=credentials,
            region=region,
            service="sts",
            result="AssumeRoleResult",
        )
        borrowed = Credentials(
            element(body, "AccessKeyId"), element(body, "SecretAccessKey"), element(body, "SessionToken")
        )
        if not borrowed.access_key or not borrowed.secret_key:
            raise NotifyError("AssumeRole: the answer holds no keys", retry=True)
        self._services.secrets.add(borrowed.secret_key, borrowed.session_token)
        return borrowed

    def _publish(self, render: Render, group: str) -> _Publish:
        config = self._config
        api_url = render.text(config.api_url)
        attributes = {render.text(name): render.text(value) for name, value in config.attributes.items()}
        form = [("Action", "Publish"), ("Version", "2010-03-31")]
        limit = MAX_PHONE_BYTES if config.phone_number else MAX_BYTES
        if config.topic_arn:
            topic = render.text(config.topic_arn)
            form.append(("TopicArn", topic))
            if topic.endswith(".fifo"):
                form += [("MessageDeduplicationId", group), ("MessageGroupId", group)]
        if config.phone_number:
            form.append(("PhoneNumber", render.text(config.phone_number)))
        if config.target_arn:
            form.append(("TargetArn", render.text(config.target_arn)))
        try:
            message = render.text(config.message).encode()
        except UnicodeEncodeError:
            raise NotifyError("the message is not in UTF-8") from None
        if len(message) > limit:
            attributes["truncated"] = "true"
            cut_to(f"{limit} bytes")
        # Cut as by Alertmanager, in the middle of a character too.
        form.append(("Message", message[:limit].decode("utf-8", "surrogateescape")))
        if config.subject:
            form.append(("Subject", render.text(config.subject)))
        for number, (name, value) in enumerate(sorted(attributes.items()), 1):
            entry = f"MessageAttributes.entry.{number}"
            form += [
                (f"{entry}.Name", name),
                (f"{entry}.Value.DataType", "String"),
                (f"{entry}.Value.StringValue", value),
            ]
        return _Publish(api_url, form)


def _domain(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def _http_config(config: SNSConfig) -> HTTPClientConfig:
    http, bundle = config.http_config, environment().get("AWS_CA_BUNDLE", "")
    if not config.use_aws_http_client and not bundle:
        return http
    tls = http.tls_config
    if bundle and not tls.ca and not tls.ca_file:
        tls = tls.replaced(ca_file=bundle)
    return HTTPClientConfig(
        tls_config=tls,
        proxy_url=http.proxy_url,
        no_proxy=http.no_proxy,
        proxy_from_environment=http.proxy_from_environment,
        proxy_connect_header=http.proxy_connect_header,
    )


KIND: Final = Kind(SNSConfig, SNSNotifier)
