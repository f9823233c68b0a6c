"""What all notifiers have around them: time limit, outcome, masked errors. Also makes the senders of a
configuration."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, TypeVar

from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.config.httpclient import HTTPClientConfig
from tocsin.notify.integrations.base import (
    DOING,
    IN_VAIN,
    IntegrationConfig,
    Notifier,
    NotifyError,
    Outcome,
    Render,
    Renderer,
)
from tocsin.notify.integrations.registry import registered
from tocsin.notify.integrations.secrets import Secrets
from tocsin.notify.integrations.statistics import ClientStatistics
from tocsin.notify.integrations.truncate import CUT

if TYPE_CHECKING:
    from tocsin.notify.integrations.http import HTTPClient, TLSContexts

_log = logging.getLogger(__name__)

T = TypeVar("T")
SenderKey: TypeAlias = tuple[str, str, int]
"""Receiver, kind of integration, index within the kind."""
STARTING: Final = 0.002
"""Seconds in one iteration of the event loop, past which no further attempt starts in it."""
_LONGEST_ERROR: Final = 4096


class Clock(Protocol):
    """Returns the time."""

    def now(self) -> Nanoseconds:
        """Nanoseconds since the Unix epoch."""


class Sender(Protocol):
    """Delivers notifications of one integration."""

    @property
    def needs(self) -> Collection[str]:
        """Modules that its first attempt uses, and that take long to import."""

    async def send(self, notification: Notification, deadline: Nanoseconds) -> Outcome:
        """One attempt, over by ``deadline``. Does not raise for anything that the server can cause."""

    async def close(self) -> None:
        """Close kept connections."""


class Pace:
    """Starts few attempts in one iteration of the event loop, so that notifications of many groups at the
    same time are not rendered in a single iteration."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._lock = asyncio.Lock()
        self._until: float | None = None  # in this iteration

    async def wait(self) -> None:
        """Wait for an iteration in which the others that start take no more than ``STARTING``."""
        if not self._lock.locked() and self._has_time():
            return
        async with self._lock:
            if not self._has_time():
                await asyncio.sleep(0)
                self._has_time()

    def _has_time(self) -> bool:
        now = self._clock()
        if self._until is None:
            self._until = now + STARTING
            asyncio.get_running_loop().call_soon(self._next_iteration)
        return now < self._until

    def _next_iteration(self) -> None:
        self._until = None


class NotifierSender:
    """Makes a sender of a notifier."""

    def __init__(
        self,
        notifier: Notifier,
        *,
        secrets: Secrets,
        clock: Clock,
        kind: str = "",
        statistics: ClientStatistics | None = None,
        pace: Pace | None = None,
        needs: Collection[str] = (),
    ) -> None:
        self.needs = needs
        self._notifier = notifier
        self._pace = pace or Pace()
        self._kind = kind
        self._statistics = statistics or ClientStatistics()
        self._secrets = secrets
        self._clock = clock

    async def send(self, notification: Notification, deadline: Nanoseconds) -> Outcome:
        """One attempt, over by ``deadline``."""
        await self._pace.wait()
        DOING.set("")
        IN_VAIN.set(False)
        cut: set[str] = set()
        CUT.set(cut)
        left = (deadline - self._clock.now()) / SECOND
        try:
            async with asyncio.timeout(max(left, 0.0)):
                remembered = await self._notifier.notify(notification)
        except NotifyError as failure:
            self._log_truncated(cut)
            return self._failed(str(failure), retry=failure.retry, reason=failure.reason)
        except TimeoutError:
            doing = DOING.get()
            return self._failed(
                f"{doing}: " * bool(doing) + "context deadline exceeded", retry=not IN_VAIN.get()
            )
        except Exception as error:
            # A notifier's bug must cost this one attempt, not the flow.
            return self._failed(f"{type(error).__name__}: {error}", retry=True)
        self._log_truncated(cut)
        return Outcome(success=True, receiver_data=remembered)

    async def close(self) -> None:
        """Close kept connections."""
        await self._notifier.close()

    def mask(self, text: str) -> str:
        """``text`` without any secret of the integration."""
        return self._secrets.mask(text)

    def _log_truncated(self, cut: set[str]) -> None:
        """Count and log texts that were cut; the notification may have been accepted all the same."""
        if cut:
            self._statistics.truncated[self._kind] += 1
            _log.warning("%s: a text was cut to %s", self._kind, ", ".join(sorted(cut)))

    def _failed(self, error: str, *, retry: bool, reason: str = "other") -> Outcome:
        text = self._secrets.mask(error)[:_LONGEST_ERROR]
        return Outcome(success=False, retry=retry, reason=reason, error=text)


class IntegrationServices:
    """:class:`~tocsin.notify.integrations.base.Services` of one integration."""

    def __init__(
        self, secrets: Secrets, contexts: TLSContexts, renderer: Renderer, statistics: ClientStatistics
    ) -> None:
        self.secrets = secrets
        self.statistics = statistics
        self.needed: set[str] = set()
        """See :meth:`needs`."""
        self._contexts = contexts
        self._renderer = renderer

    @property
    def external_url(self) -> str:
        """``--web.external-url``."""
        return self._renderer.external_url

    def needs(self, module: str) -> None:
        """The first attempt uses ``module``."""
        self.needed.add(module)

    def http(self, config: HTTPClientConfig) -> HTTPClient:
        """A client of this integration's own."""
        from tocsin.notify.integrations.http import EXCHANGES, HTTPClient

        self.needs(EXCHANGES)
        return HTTPClient(config, contexts=self._contexts, secrets=self.secrets, statistics=self.statistics)

    async def compose(self, notification: Notification, build: Callable[[Render], T]) -> T:
        """What ``build`` makes of the notification's data."""
        return await self._renderer.compose(notification, build)


def make_sender(
    config: IntegrationConfig,
    *,
    contexts: TLSContexts,
    renderer: Renderer,
    clock: Clock,
    statistics: ClientStatistics | None = None,
    pace: Pace | None = None,
) -> NotifierSender:
    """The sender of one integration; :class:`~tocsin.errors.ConfigError` for files that cannot be used."""
    renderer.prepare(config)
    secrets = Secrets(config)
    counts = statistics or ClientStatistics()
    services = IntegrationServices(secrets, contexts, renderer, counts)
    notifier = registered(config.kind).load().notifier(config, services)
    return NotifierSender(
        notifier,
        secrets=secrets,
        clock=clock,
        kind=config.kind,
        statistics=counts,
        pace=pace,
        needs=frozenset(services.needed),
    )


def make_senders(
    integrations: Iterable[tuple[SenderKey, IntegrationConfig]],
    *,
    renderer: Renderer,
    clock: Clock,
    statistics: ClientStatistics | None = None,
) -> dict[SenderKey, Sender]:
    """One sender for each integration. :class:`~tocsin.errors.ConfigError` for files that cannot be used."""
    senders: dict[SenderKey, Sender] = {}
    contexts: TLSContexts | None = None
    pace = Pace()
    for key, config in integrations:
        if contexts is None:
            # Loaded here: an HTTP client takes some megabytes and a tenth of the start, and not every file
            # has receivers.
            from tocsin.notify.integrations.tlscontext import TLSContexts

            contexts = TLSContexts(statistics=statistics)
        senders[key] = make_sender(
            config, contexts=contexts, renderer=renderer, clock=clock, statistics=statistics, pace=pace
        )
    return senders
