"""Rate limits of handshakes: each source has its share of a processor, all unverified hosts together
another."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from tocsin.gossip.transport.known import KnownSources
from tocsin.gossip.transport.scheduler import FairScheduler
from tocsin.gossip.transport.tls.settings import TLSTransportConfig

_ALL: Final = "strangers"


class Handshakes:
    """Charges handshakes to sources (see :func:`~tocsin.sources.source_of`).

    A host with many addresses has many shares, so what all unverified hosts may take together is bounded too.
    A source is known once a peer there has shown a certificate that was accepted: from then on it has its own
    share alone, and a crowd of unverified hosts does not keep a member out.
    """

    def __init__(self, config: TLSTransportConfig) -> None:
        self._sources = FairScheduler(config.host_share, config.host_burst)
        self._unverified = FairScheduler(config.unverified_share, config.host_burst)
        self._known = KnownSources()

    def know(self, source: str) -> None:
        """A peer there was accepted. The one not seen for longest makes room."""
        self._known.add(source)

    def knows(self, source: str) -> bool:
        """Whether a peer there was accepted before."""
        return source in self._known

    def wait(self, source: str) -> float:
        """Seconds that a source is behind with its own share."""
        return self._sources.wait(source)

    def charge(self, source: str, began: float) -> None:
        """For what was done since ``began``."""
        self._sources.charge(source, began)
        if source not in self._known:
            self._unverified.charge(_ALL, began)

    def may_go_on(self, source: str) -> bool:
        """At once."""
        return self._sources.may_go_on(source) and (source in self._known or self._unverified.may_go_on(_ALL))

    def waits_for(self, source: str) -> str:
        """Which share is used up: "host" its own, "strangers" that of all unverified hosts."""
        return "strangers" if self._sources.may_go_on(source) else "host"

    def later(self, source: str, work: Callable[[], None]) -> None:
        """Call ``work`` when the source's share allows it, and that of unverified hosts if it is one."""
        self._sources.later(source, partial(self._after_its_own, source, work))

    def _after_its_own(self, source: str, work: Callable[[], None]) -> None:
        if source in self._known or self._unverified.may_go_on(_ALL):
            work()
        else:
            self._unverified.later(_ALL, work)
