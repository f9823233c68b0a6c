"""What a packet costs on each transport: ``python -m benchmarks.transports`` (loopback, one process).

Both ends run on one event loop. Rates are by the processor time of sender and receiver together, so that
other work on the machine does not count; the first packet's time is by the wall clock.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.certificates import CertificateAuthority
from tests.support.transports import Recorder
from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.base import Transport
from tocsin.gossip.transport.dtls.settings import DTLSTransportConfig
from tocsin.gossip.transport.dtls.transport import DTLSTransport
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.tls.transport import TLSTransport
from tocsin.gossip.transport.udp.settings import UDPTransportConfig
from tocsin.gossip.transport.udp.transport import UDPTransport

SIZES = (100, 1000, 1360)
PACKETS = 20_000
IN_FLIGHT = 64
FIRST_PACKETS = 100


@dataclass
class Counting(Recorder):
    """Counts, and wakes who waits."""

    received: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        super().__init__()

    def packet_received(
        self,
        data: bytes,  # noqa: ARG002
        source: Address,  # noqa: ARG002
        peer: PeerIdentity | None = None,  # noqa: ARG002
    ) -> None:
        self.received += 1
        self.arrived.set()


async def first_packet(make: Callable[[], Transport]) -> float:
    """Seconds from a packet's sending to its arrival, with nothing open yet; the median of many pairs."""
    times = []
    for _ in range(FIRST_PACKETS):
        a, b, there = make(), make(), Counting()
        await a.start(Recorder())
        await b.start(there)
        start = time.perf_counter()
        a.send_packet(b.listen_address, b"x" * 100)
        await there.arrived.wait()
        times.append(time.perf_counter() - start)
        await asyncio.gather(a.close(), b.close())
    return statistics.median(times)


async def rate(make: Callable[[], Transport], size: int) -> tuple[float, int]:
    """Packets a second, and how many were lost."""
    a, b, there = make(), make(), Counting()
    await a.start(Recorder())
    await b.start(there)
    packet = bytes(size)
    a.send_packet(b.listen_address, packet)
    await there.arrived.wait()
    start, sent = time.process_time(), 1
    while sent < PACKETS:
        for _ in range(IN_FLIGHT):
            a.send_packet(b.listen_address, packet)
        sent += IN_FLIGHT
        while there.received < sent:
            there.arrived.clear()
            try:
                await asyncio.wait_for(there.arrived.wait(), 0.5)
            except TimeoutError:
                break
    spent = time.process_time() - start
    await asyncio.gather(a.close(), b.close())
    return there.received / spent, sent - there.received


async def main() -> None:
    tls = CertificateAuthority().cluster_config()
    here = Address("127.0.0.1", 0)
    makers: dict[str, Callable[[], Transport]] = {
        "udp": lambda: UDPTransport(UDPTransportConfig(listen_address=here)),
        "dtls": lambda: DTLSTransport(DTLSTransportConfig(tls=TLSTransportConfig(listen_address=here)), tls),
        "tls": lambda: TLSTransport(TLSTransportConfig(listen_address=here, offer_alpn=False), tls),
        "tls, tocsin/1": lambda: TLSTransport(TLSTransportConfig(listen_address=here), tls),
    }
    print("| transport | first packet |", " | ".join(f"{size} B" for size in SIZES), "|")
    print("| --- | --- |", " | ".join("---" for _ in SIZES), "|")
    for name, make in makers.items():
        cells = [f"{await first_packet(make) * 1000:.2f} ms"]
        for size in SIZES:
            best = max([await rate(make, size) for _ in range(3)])
            cells.append(f"{best[0]:,.0f}/s" + (f" ({best[1]} lost)" if best[1] else ""))
        print(f"| {name} |", " | ".join(cells), "|")


if __name__ == "__main__":
    asyncio.run(main())
