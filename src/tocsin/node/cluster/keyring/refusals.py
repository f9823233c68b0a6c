"""Log lines about peers that do not share our keyring, rate-limited."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from tocsin.gossip.address import Address
from tocsin.gossip.wire.keyring import Keyring
from tocsin.node.log import Logger
from tocsin.node.log_bound import LogBound, LogStatistics

INTERVAL: Final = 60.0
MAX_HOSTS: Final = 1024
MAX_LINES: Final = 32
"""Of all hosts in ten seconds."""


class KeyringRefusals:
    """One warning a minute for each host, and a few in all: the source of a datagram can be invented."""

    def __init__(self, keyring: Keyring | None, log: Logger, statistics: LogStatistics | None = None) -> None:
        self._bound = LogBound(lines=MAX_LINES, total=MAX_LINES, statistics=statistics)
        self._keyring = keyring
        self._log = log
        self._last: OrderedDict[str, float] = OrderedDict()

    def write(self, source: Address, detail: str, now: float) -> None:
        """``source`` sent what our keyring does not take."""
        last = self._last.get(source.host)
        if last is not None and now - last < INTERVAL:
            return
        self._last[source.host] = now
        self._last.move_to_end(source.host)
        if len(self._last) > MAX_HOSTS:
            self._last.popitem(last=False)
        more = self._bound.admit()
        if more is None:
            return
        ours = ",".join(self._keyring.fingerprints()) if self._keyring is not None else "none"
        self._log.warn(
            "a peer does not share our keyring", peer=str(source), problem=detail, our_keys=ours, **more
        )
