"""Receivers as the API shows them."""

from __future__ import annotations

from tocsin.node.config.alertmanager import AlertmanagerConfig


def receiver_labels(config: AlertmanagerConfig) -> dict[str, dict[str, str]]:
    """The labels of each receiver, by its name: those given, and its name."""
    return {
        receiver.name: dict(sorted({**receiver.labels, "name": receiver.name}.items()))
        for receiver in config.receivers
    }
