"""An endpoint on a test bench: feed it messages, see what it sends as messages."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any, TypeVar

import msgpack

from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.effects import Event, OpenStream, SendPacket
from tocsin.gossip.core.endpoint import Endpoint
from tocsin.gossip.core.member import Member
from tocsin.gossip.core.partners import Connections
from tocsin.gossip.core.swim.membership import SwimMembership
from tocsin.gossip.wire.codec import encode_message
from tocsin.gossip.wire.messages import Alive, Message, NodeState
from tocsin.gossip.wire.packet import PacketCodec

VERSIONS = bytes((1, 5, 2, 0, 0, 0))
EventType = TypeVar("EventType")
MessageKind = TypeVar("MessageKind", bound=Message)


def address_of(number: int) -> Address:
    """10.0.0.``number``, the cluster port."""
    return Address(f"10.0.0.{number}", 9094)


def alive(name: str, number: int, incarnation: int = 1, **fields: Any) -> Alive:
    """An alive message of a healthy member at :func:`address_of` ``number``."""
    message = Alive(incarnation, name, address_of(number).packed, 9094, b"", VERSIONS)
    return replace(message, **fields)


def entry(name: str, number: int, incarnation: int = 1, state: int = 0, **fields: Any) -> NodeState:
    """A push/pull entry."""
    node = NodeState(name, address_of(number).packed, 9094, incarnation, state, b"", VERSIONS)
    return replace(node, **fields)


def encode(message: Message) -> bytes:
    """As ``encode_message``, but also what that refuses to send: alive messages with impossible fields."""
    if not isinstance(message, Alive):
        return encode_message(message)
    fields = {
        "Addr": message.address,
        "Incarnation": message.incarnation,
        "Meta": message.meta,
        "Node": message.node,
        "Port": message.port,
        "Vsn": message.versions,
    }
    packed: bytes = msgpack.packb(fields, use_bin_type=False)
    return b"\x04" + packed


class Bench:
    """One endpoint named ``me`` at 10.0.0.1, its clock, and all that came out of it."""

    def __init__(
        self,
        seed: int = 1,
        *,
        state: bytes = b"",
        started: bool = False,
        connections: Connections | None = None,
        **settings: Any,
    ) -> None:
        self.config = replace(GossipConfig(), **settings)
        self.codec = PacketCodec(label=b"", compression=False)
        self.now = 1000.0
        self.joins: list[bool] = []
        self.endpoint = Endpoint(
            self.config,
            name="me",
            address=address_of(1),
            now=self.now,
            random=Random(seed),
            local_state=lambda join: self.joins.append(join) or state,  # type: ignore[func-returns-value]
            connections=connections,
        )
        self.sent: list[tuple[SendPacket, tuple[Message, ...]]] = []
        self.streams: list[OpenStream] = []
        self.events: list[Event] = []
        if started:
            self.endpoint.start(self.now)
        self.drain()

    def feed(self, *messages: Message, source: Address | None = None) -> None:
        """Bring messages in one packet."""
        for packet in self.codec.encode([encode(m) for m in messages], checksum=False):
            self.endpoint.receive_packet(packet, source or address_of(200), self.now)
        self.drain()

    def populate(self, count: int) -> list[str]:
        """Make ``count`` members known, ``node-2`` at 10.0.0.2 on; returns their names."""
        names = [f"node-{number}" for number in range(2, count + 2)]
        for number, name in enumerate(names, 2):
            self.feed(alive(name, number))
        return names

    def drain(self) -> None:
        for effect in self.endpoint.drain():
            if isinstance(effect, SendPacket):
                decoded = self.codec.decode(effect.data)
                assert not decoded.problems
                self.sent.append((effect, tuple(decoded.messages)))
            elif isinstance(effect, OpenStream):
                self.streams.append(effect)
            else:
                self.events.append(effect)

    def run(self, seconds: float) -> None:
        """Let time pass, firing each timer at its moment."""
        end = self.now + seconds
        while (when := self.endpoint.next_timeout()) is not None and when <= end:
            self.now = max(self.now, when)
            self.endpoint.handle_timeout(self.now)
            self.drain()
        self.now = end

    def next(self) -> None:
        """Jump to the next timer and fire it."""
        when = self.endpoint.next_timeout()
        assert when is not None
        self.run(max(0.0, when - self.now))

    def until(self, kind: type[MessageKind]) -> tuple[SendPacket, MessageKind]:
        """Let time pass until a message of that kind is sent; forgets all that was sent before."""
        self.sent.clear()
        for _ in range(10_000):
            for action, messages in self.sent:
                for message in messages:
                    if isinstance(message, kind):
                        return action, message
            self.next()
        raise AssertionError(f"no {kind.__name__} was ever sent")

    def messages(self, kind: type[MessageKind]) -> list[MessageKind]:
        """All sent messages of that kind, in order."""
        return [m for _, messages in self.sent for m in messages if isinstance(m, kind)]

    def told(self, kind: type[EventType]) -> list[EventType]:
        """All events of that kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def member(self, name: str) -> Member:
        member = self.endpoint.member(name)
        assert member is not None
        return member


def swim(bench: Bench) -> SwimMembership:
    """The rules that its endpoint follows."""
    membership = bench.endpoint._membership
    assert isinstance(membership, SwimMembership)
    return membership
