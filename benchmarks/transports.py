"""What a packet costs on each transport: ``python -m benchmarks.transports`` (loopback, one process).

Both ends run on one event loop. Rates are by the processor time of sender and receiver together, so that
other work on the machine does not count. Bytes are counted on the loopback interface, with the headers of
IP, UDP and TCP and TCP's acknowledgements: where ``unshare`` is allowed, in a network namespace of their own.
``--write`` puts the table into ``docs/choosing-a-transport.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

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
from tocsin.gossip.wire.keyring import Keyring

SIZES = (100, 1000)
PACKETS = 20_000
IN_FLIGHT = 64
FIRST_PACKETS = 100
ALONE = 300
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "choosing-a-transport.md"
BEGIN, END = "<!-- begin: made by python -m benchmarks.transports --write -->", "<!-- end -->"
_OWN_NETWORK = "TOCSIN_BENCHMARK_NETWORK"


@dataclass
class Counting(Recorder):
    """Counts, and wakes who waits."""

    keyring: Keyring | None = None
    received: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        super().__init__()

    def packet_received(
        self,
        data: bytes,
        source: Address,  # noqa: ARG002
        peer: PeerIdentity | None = None,  # noqa: ARG002
    ) -> None:
        if self.keyring is not None:
            self.keyring.open(data, b"")
        self.received += 1
        self.arrived.set()


@dataclass(frozen=True)
class Way:
    """A transport, and what seals packets before they reach it."""

    make: Callable[[], Transport]
    keyring: Keyring | None = None

    def sealed(self, data: bytes) -> bytes:
        """What is sent for ``data``."""
        return data if self.keyring is None else self.keyring.seal(data, b"")


class Pair:
    """Two ends, started."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.here, self.there = way.make(), way.make()
        self.recorder = Counting(way.keyring)

    async def __aenter__(self) -> Pair:
        await self.here.start(Recorder())
        await self.there.start(self.recorder)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.gather(self.here.close(), self.there.close())

    def send(self, data: bytes) -> None:
        self.here.send_packet(self.there.listen_address, self.way.sealed(data))

    async def arrival(self, count: int) -> bool:
        """Whether so many packets arrived in all."""
        while self.recorder.received < count:
            self.recorder.arrived.clear()
            try:
                await asyncio.wait_for(self.recorder.arrived.wait(), 0.5)
            except TimeoutError:
                return False
        return True


@dataclass(frozen=True)
class First:
    """Of the first packet, with nothing open yet: seconds by the clock, of the processor, and bytes."""

    wall: float
    processor: float
    carried: float


async def first_packet(way: Way) -> First:
    """Medians of many pairs."""
    walls, processors, carried = [], [], []
    for _ in range(FIRST_PACKETS):
        async with Pair(way) as pair:
            bytes_before, processor, wall = loopback_bytes(), time.process_time(), time.perf_counter()
            pair.send(b"x" * 100)
            await pair.arrival(1)
            walls.append(time.perf_counter() - wall)
            processors.append(time.process_time() - processor)
            carried.append(loopback_bytes() - bytes_before)
    return First(statistics.median(walls), statistics.median(processors), statistics.median(carried))


async def bytes_alone(way: Way, size: int) -> float:
    """Bytes on the wire for a packet of ``size`` that is sent alone, as most of gossip is; the mean."""
    async with Pair(way) as pair:
        pair.send(bytes(size))
        await pair.arrival(1)
        await asyncio.sleep(0.2)  # What follows a handshake.
        before = loopback_bytes()
        for number in range(ALONE):
            pair.send(bytes(size))
            await pair.arrival(number + 2)
        await asyncio.sleep(0.1)
        return (loopback_bytes() - before) / ALONE


async def rate(way: Way, size: int) -> tuple[float, int]:
    """Packets in a second of processor time, and how many were lost."""
    async with Pair(way) as pair:
        pair.send(bytes(size))
        await pair.arrival(1)
        start, sent = time.process_time(), 1
        while sent < PACKETS:
            for _ in range(IN_FLIGHT):
                pair.send(bytes(size))
            sent += IN_FLIGHT
            await pair.arrival(sent)
        spent = time.process_time() - start
        return pair.recorder.received / spent, sent - pair.recorder.received


def loopback_bytes() -> int:
    """What the loopback interface has carried."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == "lo":
            return int(counts.split()[0])
    return 0


async def measure() -> list[str]:
    """The table's lines."""
    tls = CertificateAuthority().cluster_config()
    here = Address("127.0.0.1", 0)
    udp = UDPTransportConfig(listen_address=here)
    over_tls = TLSTransportConfig(listen_address=here)
    framing = TLSTransportConfig(listen_address=here, offer_alpn=False)
    ways = {
        "`tls`, between Tocsin nodes": Way(lambda: TLSTransport(over_tls, tls)),
        "`tls`, with an Alertmanager": Way(lambda: TLSTransport(framing, tls)),
        "`dtls`": Way(lambda: DTLSTransport(DTLSTransportConfig(tls=over_tls), tls)),
        "`udp` with a keyring": Way(lambda: UDPTransport(udp), Keyring([os.urandom(32)])),
        "`udp`": Way(lambda: UDPTransport(udp)),
    }
    lines = [
        "| way | first packet: clock, processor, bytes | 200 B sent alone: bytes on the wire | "
        + " | ".join(f"{size:,} B: packets per processor second" for size in SIZES)
        + " |",
        "| --- | ---: | ---: | " + " | ".join("---:" for _ in SIZES) + " |",
    ]
    for name, way in ways.items():
        first = await first_packet(way)
        cells = [f"{first.wall * 1000:.1f} ms, {first.processor * 1000:.1f} ms, {first.carried:,.0f}"]
        cells.append(f"{await bytes_alone(way, 200):,.0f}")
        for size in SIZES:
            best = max([await rate(way, size) for _ in range(3)])
            cells.append(f"{best[0]:,.0f}" + (f" ({best[1]} lost)" if best[1] else ""))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def in_own_network() -> int | None:
    """Run this command in a network of its own; its exit status, or None where that is not possible."""
    unshare, ip = shutil.which("unshare"), shutil.which("ip")
    if os.environ.get(_OWN_NETWORK) or unshare is None or ip is None:
        return None
    inner = [sys.executable, "-m", "benchmarks.transports", *sys.argv[1:]]
    script = 'ip link set lo up || exit 99; exec "$@"'
    run = subprocess.run(
        [unshare, "--net", "sh", "-c", script, "sh", *inner],
        env={**os.environ, _OWN_NETWORK: "1"},
        check=False,
    )
    return None if run.returncode in (1, 99) else run.returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transports", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"put the table into {DOCUMENT.name}")
    arguments = parser.parse_args()
    status = in_own_network()
    if status is not None:
        return status
    lines = asyncio.run(measure())
    print("\n".join(lines))
    if not os.environ.get(_OWN_NETWORK):
        print("bytes were counted on the machine's own loopback interface: others' traffic is among them")
    if arguments.write:
        text = DOCUMENT.read_text()
        before, _, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        DOCUMENT.write_text("\n".join([before + BEGIN, "", *lines, "", END + after]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
