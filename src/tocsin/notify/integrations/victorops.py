"""VictorOps (Splunk On-Call): an entity's state, posted to a URL that ends with the API key and the routing
key."""

from __future__ import annotations

from typing import Final

from tocsin.alerting.notification import Notification
from tocsin.config.readers import map_of, secret, template, text
from tocsin.config.scalars import url
from tocsin.config.schema import option
from tocsin.config.texts import MaskedURL, Secret, Template
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
from tocsin.notify.integrations.truncate import in_characters
from tocsin.notify.integrations.url import extended, with_slash

MAX_STATE_MESSAGE: Final = 20480
"""Characters, by VictorOps' glossary of incident fields."""
MESSAGE_TYPES: Final = ("INFO", "WARNING", "CRITICAL")
"""The types of a firing alert; any other text becomes the last of them."""
RESOLVED: Final = "RECOVERY"
_OURS: Final = (
    "routing_key",
    "message_type",
    "state_message",
    "entity_display_name",
    "monitoring_tool",
    "entity_id",
    "entity_state",
)


class VictorOpsConfig(HTTPIntegrationConfig, kind="victorops"):
    """One of ``victorops_configs``."""

    api_key: str = option(secret, default=Secret(""), inherit="victorops_api_key")
    api_key_file: str = option(text, default="", inherit="victorops_api_key_file")
    api_url: str = option(url, default=MaskedURL(""), inherit="victorops_api_url", always=True)
    routing_key: str = option(template, default=Template(""), always=True)
    message_type: str = option(template, default=Template(MESSAGE_TYPES[-1]), always=True)
    state_message: str = option(
        template, default=Template('{{ template "victorops.default.state_message" . }}'), always=True
    )
    entity_display_name: str = option(
        template, default=Template('{{ template "victorops.default.entity_display_name" . }}'), always=True
    )
    monitoring_tool: str = option(
        template, default=Template('{{ template "victorops.default.monitoring_tool" . }}'), always=True
    )
    custom_fields: dict[str, str] = option(map_of(template), default={})

    def check(self) -> None:
        """A routing key, one source of the API key, and no custom field with the name of a fixed one."""
        if not self.routing_key:
            raise self.mark.error("missing Routing key in VictorOps config", "add routing_key:")
        self.at_most_one("api_key", "api_key_file")
        for name in _OURS:
            if name in self.custom_fields:
                raise self.at("custom_fields").error(
                    f"victorOps config contains custom field {name} which cannot be used as it conflicts with"
                    " the fixed/static fields",
                    "give it another name",
                )
        if not self.api_key and not self.api_key_file:
            raise self.mark.error(
                "no global VictorOps API Key set", "add api_key:, or victorops_api_key: to global"
            )
        self.amend(api_url=MaskedURL(with_slash(self.api_url)))


class VictorOpsNotifier:
    """2xx is success, 5xx, network errors and a message whose template fails are tried again."""

    retry: Final = RetryRule()

    def __init__(self, config: VictorOpsConfig, services: Services) -> None:
        self._config = config
        self._services = services
        self._http = services.http(config.http_config)

    async def notify(self, notification: Notification) -> None:
        """Post the notification once."""
        config, services = self._config, self._services
        key = await read_secret(services.secrets, config.api_key, config.api_key_file, what="api_key_file")
        route = config.routing_key
        if "{{" in route:
            route = await services.compose(notification, lambda render: render.text(config.routing_key))
        url = extended(config.api_url, f"{key}/{route}")
        services.secrets.add(url)
        try:
            message = await services.compose(notification, lambda render: self._build(render, notification))
        except NotifyError as failure:
            # Retried until the deadline, as by Alertmanager: templates may depend on the time.
            raise NotifyError(str(failure), retry=True, reason=failure.reason) from None
        answer = await self._http.post_json(url, message)
        answer.check(self.retry)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()

    def _build(self, render: Render, notification: Notification) -> dict[str, str]:
        config = self._config
        message_type = render.text(config.message_type)
        if not fires(notification):
            message_type = RESOLVED
        elif message_type not in MESSAGE_TYPES:
            message_type = MESSAGE_TYPES[-1]
        message = {
            "message_type": message_type,
            "entity_id": group_hash(notification),
            "entity_display_name": render.text(config.entity_display_name),
            "state_message": in_characters(render.text(config.state_message), MAX_STATE_MESSAGE),
            "monitoring_tool": render.text(config.monitoring_tool),
        }
        message |= {name: render.text(value) for name, value in config.custom_fields.items()}
        return {name: message[name] for name in sorted(message)}


KIND: Final = Kind(VictorOpsConfig, VictorOpsNotifier)
