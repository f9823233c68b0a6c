"""A pair of ``tocsin/1`` sessions joined in memory."""

from __future__ import annotations

from collections import deque
from typing import Any

from tocsin.gossip.transport.mux.session import MuxSession
from tocsin.gossip.transport.mux.settings import (
    HelloReceived,
    MuxConfig,
    MuxEvent,
    PacketReceived,
    StreamOpened,
)

GREETING: dict[str, Any] = {"instance": bytes(16), "address": "127.0.0.1:9094", "current": 0, "two_way": True}


class Side:
    """A session, and what it told."""

    def __init__(self, config: MuxConfig, *, dialler: bool) -> None:
        self.session = MuxSession(config, 0.0, dialler=dialler)
        self.events: list[MuxEvent] = []
        self.packets: list[bytes] = []
        self.opened: list[int] = []
        self.wire: deque[bytes] = deque()
        """Sent by it, not yet with the other side."""

    def send(self, limit: int = 64 * 1024) -> bool:
        """Put what is to be sent on the wire; whether there was something."""
        data = self.session.data_to_send(limit)
        if data:
            self.wire.append(data)
        self.tell()
        return bool(data)

    def receive(self, data: bytes, now: float) -> None:
        """All of it."""
        while self.session.receive(data, now):
            data = b""
            self.tell()
        self.tell()

    def tell(self) -> None:
        """Keep the events."""
        for event in self.session.events():
            self.events.append(event)
            if isinstance(event, PacketReceived):
                self.packets.append(event.data)
            elif isinstance(event, StreamOpened):
                self.opened.append(event.stream)
            elif isinstance(event, HelloReceived) and not self.session.dialler:
                self.session.send_hello(sequence=1, **GREETING)
                self.session.start()


class Pair:
    """A dialler and the side that accepted it, with START sent."""

    def __init__(
        self, near: MuxConfig | None = None, far: MuxConfig | None = None, *, greet: bool = True
    ) -> None:
        self.now = 0.0
        self.near = Side(near or MuxConfig(), dialler=True)
        self.far = Side(far or near or MuxConfig(), dialler=False)
        if greet:
            self.near.session.send_hello(sequence=1, **GREETING)
            self.settle()

    def settle(self, limit: int = 64 * 1024) -> None:
        """Move everything both ways until nothing moves."""
        moving = True
        while moving:
            moving = False
            for sender, receiver in ((self.near, self.far), (self.far, self.near)):
                moving |= sender.send(limit)
                while sender.wire:
                    receiver.receive(sender.wire.popleft(), self.now)
