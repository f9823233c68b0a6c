"""Opsgenie: creates, updates and closes an alert, whose alias is the hash of the group's key."""

from __future__ import annotations

from typing import Any, Final

from tocsin.alerting.notification import Notification
from tocsin.config.readers import list_of, map_of, secret_template, template, text
from tocsin.config.scalars import boolean, url
from tocsin.config.schema import Section, option
from tocsin.config.texts import MaskedURL, SecretTemplate, Template
from tocsin.notify.integrations.base import (
    HTTPIntegrationConfig,
    Kind,
    Render,
    RetryRule,
    Services,
    fires,
    group_hash,
    read_secret,
)
from tocsin.notify.integrations.json import encode, sorted_maps, without_empty
from tocsin.notify.integrations.truncate import in_characters
from tocsin.notify.integrations.url import extended, with_slash

MAX_MESSAGE: Final = 130
"""Characters, by Opsgenie's alert API."""
RESPONDER_TYPES: Final = ("team", "teams", "user", "escalation", "schedule")
"""``teams``: ``name`` holds several, separated by commas."""


class Responder(Section):
    """One of ``responders``."""

    id: str = option(template, default=Template(""))
    name: str = option(template, default=Template(""))
    username: str = option(template, default=Template(""))
    type: str = option(template, default=Template(""))

    def check(self) -> None:
        """It names somebody, of a known type."""
        if not (self.id or self.username or self.name):
            raise self.mark.error(
                "opsGenieConfig responder has to have at least one of id, username or name specified",
                "add name:",
            )
        if "{{" not in self.type and self.type.lower() not in RESPONDER_TYPES:
            raise self.at("type").error(
                f"opsGenieConfig responder type does not match valid options ^({'|'.join(RESPONDER_TYPES)})$",
                f"use one of {', '.join(RESPONDER_TYPES)}",
            )


class OpsgenieConfig(HTTPIntegrationConfig, kind="opsgenie"):
    """One of ``opsgenie_configs``."""

    api_key: str = option(secret_template, default=SecretTemplate(""), inherit="opsgenie_api_key")
    api_key_file: str = option(text, default="", inherit="opsgenie_api_key_file")
    api_url: str = option(url, default=MaskedURL(""), inherit="opsgenie_api_url")
    message: str = option(template, default=Template('{{ template "opsgenie.default.message" . }}'))
    description: str = option(template, default=Template('{{ template "opsgenie.default.description" . }}'))
    source: str = option(template, default=Template('{{ template "opsgenie.default.source" . }}'))
    details: dict[str, str] = option(map_of(template), default={})
    """Added to the common labels; overrides those of the same name."""
    entity: str = option(template, default=Template(""))
    responders: tuple[Responder, ...] = option(list_of(Responder.read), default=())
    actions: str = option(template, default=Template(""))
    """Separated by commas; ``tags`` too."""
    tags: str = option(template, default=Template(""))
    note: str = option(template, default=Template(""))
    priority: str = option(template, default=Template(""))
    update_alerts: bool = option(boolean, default=False)
    """Whether message and description of an existing alert are updated."""

    def check(self) -> None:
        """One key."""
        self.at_most_one("api_key", "api_key_file")
        if not self.api_key and not self.api_key_file:
            raise self.mark.error(
                "no global OpsGenie API Key set either inline or in a file",
                "add api_key:, or opsgenie_api_key: to global",
            )
        self.amend(api_url=MaskedURL(with_slash(self.api_url)))


class OpsgenieNotifier:
    """2xx is success, 429, 5xx and network errors are tried again: all requests of the notification are
    repeated then, as the server recognizes the alert by its alias."""

    retry: Final = RetryRule(codes={429})

    def __init__(self, config: OpsgenieConfig, services: Services) -> None:
        self._config = config
        self._services = services
        self._http = services.http(config.http_config)

    async def notify(self, notification: Notification) -> None:
        """Make the requests of one notification, until one fails."""
        config, services = self._config, self._services
        given = await read_secret(services.secrets, config.api_key, config.api_key_file, what="api_key_file")

        def build(render: Render) -> tuple[str, list[tuple[str, str, bytes]]]:
            from tocsin.notify.template.casing import trim_space

            key = render.text(given)
            if fires(notification):
                requests = self._firing(render, notification)
            else:
                body = encode({"source": render.text(config.source)})
                requests = [("POST", self._url(notification, "/close"), body)]
            return trim_space(key) if config.api_key_file else key, requests

        key, requests = await services.compose(notification, build)
        services.secrets.add(key)
        headers = [("Content-Type", "application/json"), ("Authorization", f"GenieKey {key}")]
        for method, address, body in requests:
            answer = await self._http.request(method, address, body, headers=headers)
            answer.check(self.retry)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()

    def _url(self, notification: Notification, what: str) -> str:
        path = f"v2/alerts/{group_hash(notification)}{what}"
        return extended(self._config.api_url, path, identifierType="alias")

    def _firing(self, render: Render, notification: Notification) -> list[tuple[str, str, bytes]]:
        config = self._config
        details = dict(render.data.fields["CommonLabels"].items)
        details |= {name: render.text(value) for name, value in config.details.items()}
        message = in_characters(render.text(config.message), MAX_MESSAGE)
        description = render.text(config.description)
        alert = {
            "alias": group_hash(notification),
            "message": message,
            "description": description,
            "details": sorted_maps(details),
            "source": render.text(config.source),
            "responders": self._responders(render),
            "tags": _split(render.text(config.tags)),
            "note": render.text(config.note),
            "priority": render.text(config.priority),
            "entity": render.text(config.entity),
            "actions": _split(render.text(config.actions)),
        }
        always = ("alias", "message", "details", "source")
        requests = [
            ("POST", extended(config.api_url, "v2/alerts"), encode(without_empty(alert, always=always)))
        ]
        if config.update_alerts:
            for name, value in (("message", message), ("description", description)):
                body = encode(without_empty({name: value}))
                requests.append(("PUT", self._url(notification, f"/{name}"), body))
        return requests

    def _responders(self, render: Render) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for each in self._config.responders:
            made = {name: render.text(each[name]) for name in ("id", "name", "username", "type")}
            if made["type"] == "teams":
                found += [{"name": team, "type": "team"} for team in _split(made["name"])]
            elif any(made.values()):
                found.append(without_empty(made, always=("type",)))
        return found


def _split(text: str) -> list[str]:
    from tocsin.notify.template.casing import trim_space

    return [piece for piece in trim_space(text).split(",") if piece]


KIND: Final = Kind(OpsgenieConfig, OpsgenieNotifier)
