"""Refusals in the log: clear, and not as often as a peer can provoke them."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Final

from tocsin.gossip.address import Address
from tocsin.tls.refusal import RefusalError

_log = logging.getLogger("tocsin.gossip.transport.tls")

_INTERVAL: Final = 60.0
_LIMIT: Final = 1024


class RefusalLog:
    """One warning a minute for each host and reason; the rest at debug level."""

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[str, str], float] = OrderedDict()

    def write(self, peer: Address, refusal: RefusalError, now: float) -> None:
        """Log who refused whom, and why."""
        key = (peer.host, refusal.reason)
        last = self._last.get(key)
        fresh = last is None or now - last >= _INTERVAL
        if fresh:
            self._last[key] = now
            self._last.move_to_end(key)
            if len(self._last) > _LIMIT:
                self._last.popitem(last=False)
        text = "peer %s refused us: %s" if refusal.by_peer else "refused peer %s: %s"
        _log.log(logging.WARNING if fresh else logging.DEBUG, text, peer, refusal)
