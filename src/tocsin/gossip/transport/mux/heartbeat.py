"""When to ask a silent peer, and when to give it up. Times are seconds on any monotonic clock."""

from __future__ import annotations

from tocsin.gossip.transport.mux.settings import MuxConfig, MuxStatistics
from tocsin.gossip.wire.mux import MuxCode, MuxError


class Heartbeat:
    """Counts the PINGs since the last whole frame."""

    __slots__ = ("_config", "_heard", "_pings", "_statistics")

    def __init__(self, config: MuxConfig, statistics: MuxStatistics, now: float) -> None:
        self._config = config
        self._statistics = statistics
        self._heard = now
        self._pings = 0

    def heard(self, now: float) -> None:
        """A whole frame came. Bytes do not count: a peer that drips half a frame is silent."""
        self._heard = now
        self._pings = 0

    def next_timeout(self) -> float:
        """When :meth:`is_due` becomes true, or the peer is to be given up."""
        return self._heard + self._config.heartbeat_interval * (1 + self._pings)

    def is_due(self, now: float) -> bool:
        """Whether to send PING now. :class:`MuxError` (SILENT) when the silence has lasted too long."""
        config, due = self._config, self.next_timeout()
        if now < due:
            return False
        if now - due > config.heartbeat_interval:
            # We were late ourselves (stopped, or a busy event loop): what came meanwhile is not read yet.
            self._heard = now - config.heartbeat_interval * self._pings
            return False
        if self._pings:
            self._statistics.heartbeats_missed += 1
        if self._pings >= config.heartbeat_misses:
            silence = config.heartbeat_interval * (config.heartbeat_misses + 1)
            raise MuxError(MuxCode.SILENT, f"silent for {silence:g} s")
        self._pings += 1
        return True
