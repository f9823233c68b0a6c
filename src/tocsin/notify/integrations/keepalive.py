"""Makes the system notice that the other end of an idle connection is gone.

A NAT or a firewall may drop a connection that was idle for minutes, and neither end learns of it: a request
on it would wait for its whole deadline, and no time for a second attempt would be left. Go's client has the
system probe every 15 seconds.
"""

from __future__ import annotations

import socket
from typing import Final, Protocol

_WANTED: Final = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 15),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 15),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 9),
    # Milliseconds for which sent bytes may be unacknowledged, or probes not answered.
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 30_000),
)
OPTIONS: Final = tuple(
    [(level, getattr(socket, name), value) for level, name, value in _WANTED if hasattr(socket, name)]
)
"""(level, option, value) of each option that this system has."""


class Socket(Protocol):
    """A socket, or what an event loop shows of one."""

    def setsockopt(self, level: int, option: int, value: int, /) -> None: ...


def keep_alive(connected: Socket) -> None:
    """Set the options. OSError if the connection is gone already."""
    for option in OPTIONS:
        connected.setsockopt(*option)
