"""How each integration has done lately, by the decisions about its attempts."""

from __future__ import annotations

from collections import deque
from dataclasses import field
from typing import Final

from tocsin.alerting.decisions import Decision, Failed, GivenUp, Overdue, Sent
from tocsin.alerting.integration import Integration
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.bounded import Touched
from tocsin.dataclass import dataclass

MAX_INTEGRATIONS: Final = 4096
"""Past it the one that was heard of longest ago is forgotten."""
RECENT: Final = 20
"""Attempts whose time is remembered."""
LONGEST_ERROR: Final = 512

Key = tuple[str, str, int]
"""Receiver, kind, index."""


@dataclass(slots=True)
class IntegrationHealth:
    """Of one integration, since the node was made. Nanoseconds; 0: never."""

    sent: int = 0
    failed: int = 0
    """Attempts."""
    given_up: int = 0
    """Notifications."""
    failing: int = 0
    """Attempts that have failed since the last success."""
    sent_at: Nanoseconds = 0
    failed_at: Nanoseconds = 0
    reason: str = ""
    error: str = ""
    """Of the last failure, without secrets."""
    recent: deque[Nanoseconds] = field(default_factory=lambda: deque(maxlen=RECENT))
    """How long the last attempts took."""


class Health:
    """Of all integrations. Outlives the configuration."""

    def __init__(self, max_integrations: int = MAX_INTEGRATIONS) -> None:
        self._max = max_integrations
        self._known: dict[Key, IntegrationHealth] = {}
        self.touched: Touched[str] = Touched()
        """Names of integrations that something became of an attempt at."""

    def __len__(self) -> int:
        return len(self._known)

    def of(self, receiver: str, kind: str, index: int) -> IntegrationHealth:
        """Of one integration; a new one if nothing is known."""
        return self._known.get((receiver, kind, index)) or IntegrationHealth()

    def count(self, decision: Decision) -> None:
        """Something was decided; only outcomes of attempts are counted."""
        match decision:
            case Sent(integration=integration, at=at, began=began):
                health = self._heard_of(integration)
                health.sent += 1
                health.failing = 0
                health.sent_at = at
                health.recent.append(max(at - began, 0))
            case Failed(integration=integration, at=at, began=began):
                health = self._failed(integration, at, decision.reason, decision.error)
                health.recent.append(max(at - began, 0))
            case Overdue(integration=integration, at=at):
                self._failed(integration, at, "other", "the end of the attempt was not reported in time")
            case GivenUp(integration=integration):
                self._heard_of(integration).given_up += 1
            case _:
                pass

    def _failed(
        self, integration: Integration, at: Nanoseconds, reason: str, error: str
    ) -> IntegrationHealth:
        health = self._heard_of(integration)
        health.failed += 1
        health.failing += 1
        health.failed_at, health.reason, health.error = at, reason, error[:LONGEST_ERROR]
        return health

    def _heard_of(self, integration: Integration) -> IntegrationHealth:
        key = (integration.receiver, integration.integration, integration.index)
        known = self._known.pop(key, None)  # and to the end: those heard of longest ago come first
        if known is None:
            known = IntegrationHealth()
            if len(self._known) >= self._max:
                del self._known[next(iter(self._known))]
        self._known[key] = known
        if self.touched.on:
            self.touched.add(str(integration))
        return known
