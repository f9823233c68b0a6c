"""Tests a receiver of the configuration in force: one notification by each of its integrations, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Final

from tocsin.alerting.integration import Integration
from tocsin.alerting.labels import fingerprinting
from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.dataclass import dataclass
from tocsin.node.api.steps import run_steps
from tocsin.node.clock import Clock
from tocsin.node.config.receivers import ReceiverConfig
from tocsin.node.log import Logger
from tocsin.notify.integrations.base import WATCHER, Answer, Outcome
from tocsin.notify.integrations.sender import Sender, SenderKey
from tocsin.notify.receivertest import hint

MAX_TESTS: Final = 4
"""Under way at once."""
TIMEOUT: Final[Nanoseconds] = 20 * SECOND
"""Nanoseconds for an attempt."""


@dataclass(frozen=True, slots=True)
class Tried:
    """The result at one integration."""

    integration: Integration
    outcome: Outcome
    status: int
    hint: str
    seconds: float


@dataclass(slots=True)
class ReceiverTestStatistics:
    """For the metrics."""

    under_way: int = 0
    attempts: int = 0
    """Integrations that were tried."""
    attempts_failed: int = 0
    refused: int = 0
    """Tests past the bound of those under way at once."""


GAUGES: Final = ("under_way",)


class _Watcher:
    """Remembers the last answer. Implements :class:`~tocsin.notify.integrations.base.Watcher`."""

    dry = False

    def __init__(self) -> None:
        self.last: Answer | None = None

    def sending(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> Answer | None:
        """Nothing: it is sent."""
        del method, url, headers, body
        return None

    def answered(self, answer: Answer) -> None:
        """Remember the answer."""
        self.last = answer

    def mailing(self, sender: str, recipients: Sequence[str], data: bytes) -> None:
        """Nothing: it is sent."""

    def replied(self, step: str, code: int, message: str) -> None:
        """Nothing: a failure's error has it."""


class ReceiverTests:
    """``make`` makes the senders of a receiver; it is called in a thread."""

    def __init__(
        self, make: Callable[[ReceiverConfig], Mapping[SenderKey, Sender]], clock: Clock, log: Logger
    ) -> None:
        self._make = make
        self._clock = clock
        self._log = log
        self.statistics = ReceiverTestStatistics()

    def admit(self) -> bool:
        """Whether there is room for one more; that there is none is counted."""
        if self.statistics.under_way < MAX_TESTS:
            return True
        self.statistics.refused += 1
        return False

    async def run(
        self, receiver: ReceiverConfig, wanted: Sequence[Integration], notification: Notification
    ) -> list[Tried]:
        """Send the notification by the wanted integrations, all at once, with new senders that share nothing
        with the node's. :class:`~tocsin.errors.ConfigError` for files that cannot be used."""
        self.statistics.under_way += 1
        try:
            await run_steps(fingerprinting(alert.labels for alert in notification.alerts))
            senders = await asyncio.to_thread(self._make, receiver)
            try:
                return await asyncio.gather(*(self._try(senders, each, notification) for each in wanted))
            finally:
                for sender in senders.values():
                    await sender.close()
        finally:
            self.statistics.under_way -= 1

    async def _try(
        self, senders: Mapping[SenderKey, Sender], integration: Integration, notification: Notification
    ) -> Tried:
        watcher = _Watcher()
        WATCHER.set(watcher)  # of this task's context
        began = perf_counter()
        sender = senders[integration.receiver, integration.integration, integration.index]
        outcome = await sender.send(notification, self._clock.now() + TIMEOUT)
        seconds = perf_counter() - began
        self.statistics.attempts += 1
        self.statistics.attempts_failed += not outcome.success
        self._log.info("receiver tested", integration=str(integration), success=outcome.success)
        return Tried(
            integration,
            outcome,
            watcher.last.status if watcher.last is not None else 0,
            "" if outcome.success else hint(outcome, watcher.last),
            seconds,
        )
