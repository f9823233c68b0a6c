"""Refusals in the log: clear, and not as often as a peer can provoke them."""

from __future__ import annotations

import logging
from typing import Final

from tocsin.bounded import Throttle
from tocsin.gossip.address import Address
from tocsin.tls.refusal import RefusalError

_log = logging.getLogger("tocsin.gossip.transport.tls")

_INTERVAL: Final = 60.0
_LIMIT: Final = 1024


class RefusalLog:
    """One warning a minute for each host and reason; the rest at debug level."""

    def __init__(self) -> None:
        self._throttle: Throttle[tuple[str, str]] = Throttle(_INTERVAL, _LIMIT)

    def write(self, peer: Address, refusal: RefusalError, now: float) -> None:
        """Log who refused whom, and why."""
        fresh = self._throttle.admit((peer.host, refusal.reason), now)
        text = "peer %s refused us: %s" if refusal.by_peer else "refused peer %s: %s"
        _log.log(logging.WARNING if fresh else logging.DEBUG, text, peer, refusal)
