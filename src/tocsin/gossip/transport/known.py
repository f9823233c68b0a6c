"""Which sources have shown a certificate that was accepted, for who lets them begin handshakes. No I/O."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

MAX_KNOWN: Final = 1024


class KnownSources:
    """At most :data:`MAX_KNOWN` sources; the one not seen for longest makes room."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, source: str) -> bool:
        return source in self._seen

    def add(self, source: str) -> None:
        """A peer there was accepted."""
        self._seen[source] = None
        self._seen.move_to_end(source)
        if len(self._seen) > MAX_KNOWN:
            self._seen.popitem(last=False)
