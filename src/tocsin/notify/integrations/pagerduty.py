"""PagerDuty: events by the API of version 2 (``routing_key``) or 1 (``service_key``)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from tocsin.alerting.duration import format_go_duration
from tocsin.alerting.notification import Notification
from tocsin.config.readers import list_of, map_of, secret_template, template, text
from tocsin.config.scalars import go_duration
from tocsin.config.scalars import url as web_url
from tocsin.config.schema import Section, option
from tocsin.config.texts import MaskedURL, SecretTemplate, Template
from tocsin.config.values import any_templates
from tocsin.notify.integrations.base import (
    HTTPIntegrationConfig,
    Kind,
    NotifyError,
    Render,
    RetryRule,
    Services,
    fires,
    group_hash,
    read_secret,
)
from tocsin.notify.integrations.json import encode, sorted_maps, without_empty
from tocsin.notify.integrations.truncate import in_characters

V1_URL: Final = "https://events.pagerduty.com/generic/2010-04-15/create_event.json"
MAX_EVENT_BYTES: Final = 512_000
MAX_SUMMARY: Final = 1024
"""Characters of the description (V1) or summary (V2)."""
DEFAULT_SEVERITY: Final = Template("error")
REMOVED: Final = (
    "Custom details have been removed because the original event exceeds the maximum size of 512KB"
)
DETAILS: Final = {
    "firing": Template("{{ .Alerts.Firing | toJson }}"),
    "num_firing": Template("{{ .Alerts.Firing | len }}"),
    "num_resolved": Template("{{ .Alerts.Resolved | len }}"),
    "resolved": Template("{{ .Alerts.Resolved | toJson }}"),
}
"""The default entries of ``details``."""


class Image(Section):
    """One of ``images``; omitted where ``src`` renders to an empty text."""

    src: str = option(template, default=Template(""))
    alt: str = option(template, default=Template(""))
    href: str = option(template, default=Template(""))


class Link(Section):
    """One of ``links``; omitted where ``href`` renders to an empty text."""

    href: str = option(template, default=Template(""))
    text: str = option(template, default=Template(""))


class PagerdutyConfig(HTTPIntegrationConfig, kind="pagerduty"):
    """One of ``pagerduty_configs``."""

    service_key: str = option(secret_template, default=SecretTemplate(""))
    """If set, events go by version 1 of the API."""
    service_key_file: str = option(text, default="")
    routing_key: str = option(secret_template, default=SecretTemplate(""))
    routing_key_file: str = option(text, default="")
    url: str = option(web_url, default=MaskedURL(""), inherit="pagerduty_url")
    """The URL for version 2; that of version 1 is fixed."""
    client: str = option(template, default=Template('{{ template "pagerduty.default.client" . }}'))
    client_url: str = option(template, default=Template('{{ template "pagerduty.default.clientURL" . }}'))
    description: str = option(template, default=Template('{{ template "pagerduty.default.description" .}}'))
    details: dict[str, Any] = option(map_of(any_templates), default={})
    images: tuple[Image, ...] = option(list_of(Image.read), default=())
    links: tuple[Link, ...] = option(list_of(Link.read), default=())
    source: str = option(template, default=Template(""))
    """If empty: ``client``."""
    severity: str = option(template, default=Template(""))
    klass: str = option(template, default=Template(""), name="class")
    component: str = option(template, default=Template(""))
    group: str = option(template, default=Template(""))
    timeout: int = option(go_duration, default=0, always=True, show=format_go_duration)
    """Time limit of a request, nanoseconds; 0 or less: only the notification's deadline."""

    def check(self) -> None:
        """A key from one source."""
        keys = ("routing_key", "service_key", "routing_key_file", "service_key_file")
        if not any(self[name] for name in keys):
            raise self.mark.error("missing service or routing key in PagerDuty config", "add routing_key:")
        self.at_most_one("routing_key", "routing_key_file")
        self.at_most_one("service_key", "service_key_file")
        self.amend(details={**DETAILS, **self.details}, source=self.source or self.client)


class PagerdutyNotifier:
    """2xx is success; 5xx, network errors and 429 (V2) or 403 (V1: too many requests) are tried again."""

    def __init__(self, config: PagerdutyConfig, services: Services) -> None:
        self._config = config
        self._services = services
        self._http = services.http(config.http_config)
        self._v1 = bool(config.service_key or config.service_key_file)
        # Alertmanager sets no reason for failures of version 1.
        self._retry = RetryRule(codes={403 if self._v1 else 429}, details=problem_of, reasons=not self._v1)

    async def notify(self, notification: Notification) -> None:
        """Post the event once."""
        config, secrets = self._config, self._services.secrets
        if self._v1:
            given = await read_secret(
                secrets, config.service_key, config.service_key_file, what="service_key_file"
            )
        else:
            given = await read_secret(
                secrets, config.routing_key, config.routing_key_file, what="routing_key_file"
            )
        build = self._event_v1 if self._v1 else self._event_v2
        key, body = await self._services.compose(
            notification, lambda render: build(render, notification, given)
        )
        secrets.add(key)
        if not key:
            raise NotifyError(f"{'service' if self._v1 else 'routing'} key cannot be empty")
        url = V1_URL if self._v1 else config.url
        answer = await self._http.post_within(config.timeout, "pagerduty", url, body)
        answer.check(self._retry)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()

    def _details(self, render: Render) -> dict[str, Any]:
        details = {name: render.copy(value) for name, value in self._config.details.items()}
        return dict(sorted_maps(details))

    def _event_v1(self, render: Render, notification: Notification, given: str) -> tuple[str, bytes]:
        config, key, firing = self._config, render.text(given), fires(notification)
        whole = {
            "service_key": key,
            "incident_key": group_hash(notification),
            "event_type": "trigger" if firing else "resolve",
            "description": in_characters(render.text(config.description), MAX_SUMMARY),
            "event_action": "",
            "payload": None,
            "client": render.text(config.client) if firing else "",
            "client_url": render.text(config.client_url) if firing else "",
        }

        def event(details: dict[str, Any]) -> dict[str, Any]:
            return without_empty(whole | {"details": details}, always=("event_action", "payload"))

        return key, _encoded(event, self._details(render))

    def _event_v2(self, render: Render, notification: Notification, given: str) -> tuple[str, bytes]:
        config, key = self._config, render.text(given)
        payload = {
            "summary": in_characters(render.text(config.description), MAX_SUMMARY),
            "source": render.text(config.source),
            "severity": render.text(config.severity or DEFAULT_SEVERITY),
            "class": render.text(config.klass),
            "component": render.text(config.component),
            "group": render.text(config.group),
        }
        images = [
            {"src": render.text(image.src), "alt": render.text(image.alt), "href": render.text(image.href)}
            for image in config.images
        ]
        links = [{"href": render.text(link.href), "text": render.text(link.text)} for link in config.links]
        whole = {
            "routing_key": key,
            "dedup_key": group_hash(notification),
            "event_action": "trigger" if fires(notification) else "resolve",
            "payload": payload,
            "client": render.text(config.client),
            "client_url": render.text(config.client_url),
            "images": [image for image in images if image["src"]],
            "links": [link for link in links if link["href"]],
        }

        def event(details: dict[str, Any]) -> dict[str, Any]:
            told = without_empty(
                payload | {"custom_details": details}, always=("summary", "source", "severity")
            )
            return without_empty(whole | {"payload": told})

        return key, _encoded(event, self._details(render))


def _encoded(event: Callable[[dict[str, Any]], dict[str, Any]], details: dict[str, Any]) -> bytes:
    """The event, encoded; without its details if it would be too large for PagerDuty."""
    body = encode(event(details))
    return body if len(body) <= MAX_EVENT_BYTES else encode(event({"error": REMOVED}))


def problem_of(status: int, body: bytes) -> str:
    """What PagerDuty says is wrong with an event; only answers of status 400 say it."""
    if status != 400:
        return ""
    try:
        told = json.loads(body.decode("utf-8", "replace"))
        return f"{told.get('message') or ''}: {','.join(told.get('errors') or ())}"
    except (ValueError, TypeError, AttributeError, RecursionError):
        return ""


KIND: Final = Kind(PagerdutyConfig, PagerdutyNotifier)
