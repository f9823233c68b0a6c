"""An integration of a receiver, and the queue of deliveries that wait for one of its attempts."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import field
from typing import Generic, TypeVar

from tocsin.alerting.config import IntegrationConfig, ReceiverConfig
from tocsin.alerting.nflog import Receiver
from tocsin.dataclass import dataclass

Waiter = TypeVar("Waiter")


@dataclass(frozen=True, slots=True)
class Integration:
    """One integration of a receiver. ``index`` counts within its kind; ``str`` is ``name/webhook[0]``."""

    receiver: str
    integration: str
    """The kind: ``webhook``."""
    index: int
    send_resolved: bool
    config: IntegrationConfig | None = field(default=None, compare=False, repr=False)

    @property
    def log_receiver(self) -> Receiver:
        """Its name within the notification log."""
        return Receiver(self.receiver, self.integration, self.index)

    def __str__(self) -> str:
        return f"{self.receiver}/{self.integration}[{self.index}]"


def integrations(receiver: ReceiverConfig) -> Iterator[Integration]:
    """The integrations of a receiver, in the order of the file."""
    indices: Counter[str] = Counter()
    for config in receiver.integrations:
        kind = config.kind
        yield Integration(receiver.name, kind, indices[kind], config.send_resolved, config)
        indices[kind] += 1


@dataclass(eq=False, slots=True)
class IntegrationQueue(Generic[Waiter]):
    """How many attempts of one integration are under way, and who waits until there are fewer."""

    integration: Integration
    max_attempts: int
    under_way: int = 0
    waiting: deque[Waiter] = field(default_factory=deque)

    def begin(self) -> bool:
        """Count one attempt more, if there is room for it."""
        if self.under_way >= self.max_attempts:
            return False
        self.under_way += 1
        return True

    def end(self) -> None:
        """An attempt that :meth:`begin` counted is over."""
        self.under_way -= 1

    def next(self) -> Waiter | None:
        """Remove and return who has waited longest, if there is room for an attempt."""
        return self.waiting.popleft() if self.waiting and self.under_way < self.max_attempts else None
