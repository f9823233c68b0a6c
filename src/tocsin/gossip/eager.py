"""New broadcasts leave at once, together with those of the same moment, and not only with the next round."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from tocsin.aio import LoopTimer
from tocsin.gossip.core.endpoint import Endpoint

INTERVAL: Final = 0.005
"""A new broadcast leaves at once, or so many seconds after those before it, with all that came meanwhile."""


class EagerGossip:
    """One timer on the event loop. ``sent`` is called whenever the endpoint has something to be drained."""

    def __init__(self, endpoint: Endpoint, sent: Callable[[], None]) -> None:
        self._endpoint = endpoint
        self._sent = sent
        self._loop = asyncio.get_running_loop()
        self._timer = LoopTimer(self._run)
        self._not_before = 0.0

    def arm(self) -> None:
        """There is a new broadcast."""
        if self._timer.armed_for is None:
            # Never synchronously: broadcasts of the same iteration of the loop leave together.
            self._timer.arm(max(self._not_before, self._loop.time()))

    def stop(self) -> None:
        """Send no more."""
        self._timer.stop()

    def _run(self) -> None:
        self._not_before = self._loop.time() + INTERVAL
        if self._endpoint.gossip_fresh():
            self.arm()
        self._sent()
