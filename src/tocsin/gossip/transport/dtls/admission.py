"""Which sources may begin a handshake now, before any certificate. No I/O."""

from __future__ import annotations

from typing import Final

from tocsin.bounded import Allowance
from tocsin.gossip.transport.dtls.settings import DTLSTransportConfig
from tocsin.gossip.transport.known import KnownSources

COST: Final = 0.002
"""Seconds of a processor that a handshake is taken to need, by which sources are charged."""
_ALL: Final = "strangers"


class Admission:
    """The shares of handshakes, as over TLS: each source has one, and all that are not known another.

    A source is known once a peer there was authenticated: a crowd of others does not keep it out. Who waits
    is not answered, and says its hello again.
    """

    def __init__(self, config: DTLSTransportConfig) -> None:
        self._sources: Allowance = Allowance(config.tls.host_share, config.tls.host_burst)
        self._unknown: Allowance = Allowance(config.tls.unverified_share, config.tls.host_burst)
        self._known = KnownSources()

    def know(self, source: str) -> None:
        """A peer there was authenticated. The one not seen for longest makes room."""
        self._known.add(source)

    def knows(self, source: str) -> bool:
        """Whether a peer there was authenticated before."""
        return source in self._known

    def admit(self, source: str, now: float) -> bool:
        """Whether it may begin one; it is charged for it."""
        known = source in self._known
        if self._sources.wait(source, now) or (not known and self._unknown.wait(_ALL, now)):
            return False
        self._sources.charge(source, COST, now)
        if not known:
            self._unknown.charge(_ALL, COST, now)
        return True
