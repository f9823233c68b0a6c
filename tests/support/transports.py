"""What tests of transports share: a handler that records, and waiting on conditions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.base import Stream


class Recorder:
    """A :class:`~tocsin.gossip.transport.base.TransportHandler` that keeps what it is told."""

    def __init__(self) -> None:
        self.packets: list[tuple[bytes, Address]] = []
        self.peers: list[PeerIdentity | None] = []
        self.identified: list[tuple[Address, PeerIdentity]] = []
        self.failures: list[tuple[Address, str]] = []
        self.strangers: set[str] = set()
        """Hosts at which no member is."""
        self.streams: asyncio.Queue[Stream] = asyncio.Queue()

    @property
    def data(self) -> list[bytes]:
        """The packets without their sources."""
        return [data for data, _ in self.packets]

    @property
    def failed(self) -> list[Address]:
        """Where packets failed to go."""
        return [destination for destination, _ in self.failures]

    def packet_received(self, data: bytes, source: Address, peer: PeerIdentity | None = None) -> None:
        """Keep it."""
        self.packets.append((data, source))
        self.peers.append(peer)

    def peer_identified(self, address: Address, peer: PeerIdentity) -> None:
        """Keep it."""
        self.identified.append((address, peer))

    def is_member(self, host: str) -> bool:
        """All hosts are, but those named."""
        return host not in self.strangers

    def packet_failed(self, destination: Address, reason: str) -> None:
        """Keep it."""
        self.failures.append((destination, reason))

    def stream_accepted(self, stream: Stream) -> None:
        """Keep it for whoever asks next."""
        self.streams.put_nowait(stream)

    async def stream(self) -> Stream:
        """The next accepted stream."""
        async with asyncio.timeout(10):
            return await self.streams.get()


async def eventually(condition: Callable[[], object], patience: float = 10.0) -> None:
    """Wait until ``condition()`` is true. ``patience``: seconds until a failing test gives up."""
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    while not condition():
        if loop.time() > end:
            raise AssertionError(f"never became true: {condition!r}")
        await asyncio.sleep(0.005)


async def read_all(stream: Stream) -> bytes:
    """Everything until the peer's end."""
    chunks: list[bytes] = []
    while chunk := await stream.read():
        chunks.append(chunk)
    return b"".join(chunks)
