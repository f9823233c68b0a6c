"""From a configuration to the senders of its receivers."""

from __future__ import annotations

from collections import Counter

from tocsin.alerting.config import AlertmanagerConfig
from tocsin.node.clock import Clock
from tocsin.node.receivers.base import Sender

SenderKey = tuple[str, str, int]
"""Receiver, kind of integration, index within the kind."""


def make_senders(config: AlertmanagerConfig, *, external_url: str, clock: Clock) -> dict[SenderKey, Sender]:
    """One sender for each integration. :class:`~tocsin.errors.ConfigError` for files that cannot be used."""
    senders: dict[SenderKey, Sender] = {}
    if not any(receiver.integrations for receiver in config.receivers):
        return senders
    # Here, for httpx is some 4 MB and a tenth of the start, and not every configuration sends.
    from tocsin.node.receivers.client import TLSContexts
    from tocsin.node.receivers.webhook import WebhookSender

    contexts = TLSContexts()
    for receiver in config.receivers:
        indices: Counter[str] = Counter()
        for integration in receiver.integrations:
            key = (receiver.name, integration.kind, indices[integration.kind])
            indices[integration.kind] += 1
            senders[key] = WebhookSender(
                integration, external_url=external_url, clock=clock, contexts=contexts
            )
    return senders
