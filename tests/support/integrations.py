"""A kind of receiver beside a server on loopback: its section out of YAML, what it sends, how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from tests.support.receiverserver import Answer, Received, ReceiverServer
from tests.support.routing import alert
from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import SECOND
from tocsin.node.clock import Clock
from tocsin.node.config import parse_config
from tocsin.node.configuration import senders_of
from tocsin.notify.integrations.base import IntegrationConfig, Outcome

CLOCK = Clock()
EXTERNAL = "http://node"


def notification_of(*alerts: Alert) -> Notification:
    """A notification of these alerts (default: one that fires)."""
    return Notification(
        receiver="r",
        group_key='{}:{alertname="A"}',
        group_labels=Labels({"alertname": "A"}),
        alerts=alerts or (alert(alertname="A", severity="low"),),
        now=CLOCK.now(),
        reason="first notification",
    )


def section(kind: str, keys: str, *, global_: str = "{}") -> IntegrationConfig:
    """One of ``<kind>_configs`` with these keys, in YAML's flow style; :class:`ConfigError`."""
    found: IntegrationConfig = _parsed(kind, keys, global_).receivers[0].integrations[0]
    return found


def shown(kind: str, keys: str, *, global_: str = "{}") -> str:
    """What ``/api/v2/status`` shows of it, from its first key on, without ``http_config``."""
    text: str = _parsed(kind, keys, global_).original
    lines = text.partition(f"{kind}_configs:\n")[2].splitlines()
    kept: list[str] = []
    inside = False
    for line in lines:
        if not line.startswith("  "):
            break
        if line[4:5] != " ":
            inside = line[4:].startswith("http_config:")
        if not inside:
            kept.append(line.replace("- ", "  ", 1)[4:] if line.startswith("  - ") else line[4:])
    return "\n".join(kept)


def send(
    kind: str,
    keys: str,
    *,
    answers: Sequence[tuple[int, bytes]] = ((200, b"{}"),),
    notification: Notification | None = None,
    global_: str = "{}",
    times: int = 1,
    between: Callable[[int], None] = lambda _number: None,
) -> tuple[list[Outcome], list[Received]]:
    """What comes of ``times`` attempts; ``@HTTP@`` in the keys is the server's address."""

    async def main() -> tuple[list[Outcome], list[Received]]:
        server = ReceiverServer(*(Answer(status, body) for status, body in answers))
        async with server.open():
            parsed = _parsed(
                kind, keys.replace("@HTTP@", server.address), global_.replace("@HTTP@", server.address)
            )
            (sender,) = senders_of(parsed, external_url=EXTERNAL, clock=CLOCK).values()
            outcomes = []
            try:
                for number in range(times):
                    between(number)
                    deadline = CLOCK.now() + 60 * SECOND
                    outcomes.append(await sender.send(notification or notification_of(), deadline))
            finally:
                await sender.close()
            return outcomes, server.received

    return asyncio.run(main())


def _parsed(kind: str, keys: str, global_: str) -> Any:
    text = (
        f"global: {global_}\nroute: {{receiver: r}}\nreceivers:\n- name: r\n  {kind}_configs:\n  - {keys}\n"
    )
    return parse_config(text, path="/etc/am.yml")
