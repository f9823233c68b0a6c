"""What every integration owes the alert flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import Nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended.

    ``reason`` is Alertmanager's metric label for a failure (``clientError``, ``serverError``, ``other``);
    ``error`` is for people and never holds a secret.
    """

    success: bool
    retry: bool = False
    reason: str = ""
    error: str = ""


class Sender(Protocol):
    """Delivers notifications of one integration."""

    async def send(self, notification: Notification, deadline: Nanoseconds) -> Outcome:
        """One attempt, over by ``deadline``. Does not raise for anything that the far side can cause."""

    async def close(self) -> None:
        """Close kept connections."""
