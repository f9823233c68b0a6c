"""Notifies the service manager by sd_notify(3). Does nothing without one."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import MutableMapping
from typing import Final

_MICROSECONDS: Final = 1_000_000
_SHORTEST: Final = 0.01
"""Shortest interval of watchdog notifications, seconds."""


class ServiceManager:
    """systemd, as a unit with ``Type=notify`` or ``notify-reload`` has it.

    The variables are taken out of ``environment``, so that no child takes them for its own.
    """

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        self._address = environment.pop("NOTIFY_SOCKET", "")
        usec, of = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        watched = usec.isdecimal() and len(usec) < 16 and of in ("", str(os.getpid()))
        self.watchdog: Final = int(usec) / _MICROSECONDS if watched else 0.0
        """Seconds after which systemd ends a node without watchdog notifications; 0: never."""

    def ready(self) -> None:
        """The node has started, or a reload is over."""
        self._notify("READY=1\nSTATUS=serving")

    def reloading(self) -> None:
        """A reload begins."""
        self._notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}\nSTATUS=reloading")

    def stopping(self) -> None:
        """The node is leaving and stopping."""
        self._notify("STOPPING=1\nSTATUS=stopping")

    async def feed_watchdog(self) -> None:
        """Send watchdog notifications from the event loop for ever: while it is held, none goes out."""
        while self.watchdog:
            self._notify("WATCHDOG=1")
            await asyncio.sleep(max(self.watchdog / 2, _SHORTEST))

    def _notify(self, text: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as one:
            one.setblocking(False)
            try:
                one.sendto(text.encode(), address)
            except OSError:
                pass  # Ignore a manager that does not listen.
