"""Virtual time: a clock that jumps from event to event, one seed for all chance, and a trace."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from heapq import heappop, heappush
from random import Random


class World:
    """Runs callbacks in the order of their virtual times; equal times run in the order they were scheduled.

    Everything random must come from :attr:`random` or :meth:`stream`, so that a seed replays a run exactly;
    :attr:`digest` proves it.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now = 0.0
        self.random = Random(f"{seed}")
        self.events_run = 0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._digest = blake2b(digest_size=16)

    def stream(self, name: str) -> Random:
        """An independent source of chance, so that one part's draws do not shift another's."""
        return Random(f"{self.seed}/{name}")

    def schedule(self, when: float, action: Callable[[], None]) -> None:
        """Run ``action`` at virtual time ``when`` (now, if that is past)."""
        self._order += 1
        heappush(self._heap, (max(when, self.now), self._order, action))

    def after(self, delay: float, action: Callable[[], None]) -> None:
        """Run ``action`` in ``delay`` seconds."""
        self.schedule(self.now + delay, action)

    def run_until(self, when: float) -> None:
        """Run all that is due until ``when``, which is the time afterwards."""
        heap = self._heap
        while heap and heap[0][0] <= when:
            self.now, _, action = heappop(heap)
            self.events_run += 1
            action()
        self.now = when

    def run(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self.run_until(self.now + seconds)

    def trace(self, text: str, data: bytes = b"") -> None:
        """Add to the digest what just happened."""
        self._digest.update(f"{self.now!r} {text} {len(data)}\n".encode())
        self._digest.update(data)

    @property
    def digest(self) -> str:
        """Hash of all that was traced so far."""
        return self._digest.hexdigest()
