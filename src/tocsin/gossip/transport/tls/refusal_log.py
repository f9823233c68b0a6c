"""Refusals in the log: clear, and not as often as a peer can provoke them."""

from __future__ import annotations

import logging
from typing import Final

from tocsin.bounded import Memo, Throttle
from tocsin.gossip.address import Address
from tocsin.gossip.transport.views import RefusalView
from tocsin.tls.refusal import RefusalError

_log = logging.getLogger("tocsin.gossip.transport.tls")

_INTERVAL: Final = 60.0
_LIMIT: Final = 1024
_REMEMBERED: Final = 256
_LONGEST: Final = 512
"""Characters of what is remembered."""


class RefusalLog:
    """One warning a minute for each host and reason; the rest at debug level."""

    def __init__(self) -> None:
        self._throttle: Throttle[tuple[str, str]] = Throttle(_INTERVAL, _LIMIT)
        self._latest: Memo[tuple[str, str, bool], RefusalView] = Memo(_REMEMBERED)

    def latest(self) -> list[RefusalView]:
        """Of each host and reason the last one, the latest last."""
        return list(self._latest.values())

    def write(self, peer: Address, refusal: RefusalError, now: float) -> None:
        """Log who refused whom, and why."""
        place = (peer.host, refusal.reason, refusal.by_peer)
        known = self._latest.get(place)
        count = known.count + 1 if known is not None else 1
        text = str(refusal)[:_LONGEST]
        view = RefusalView(peer.host, refusal.reason, text, refusal.by_peer, count, now)
        self._latest.put(place, view)
        fresh = self._throttle.admit((peer.host, refusal.reason), now)
        text = "peer %s refused us: %s" if refusal.by_peer else "refused peer %s: %s"
        _log.log(logging.WARNING if fresh else logging.DEBUG, text, peer, refusal)
