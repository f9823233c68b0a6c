"""One certificate joins 2,000 times under invented names: members, memory and delays stay as they are.

What is asserted holds at any pace: of the joins that a node may have answered in the time that it all took,
and of the work that it may have done for them in that time. The figures that are shown are of this machine.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.api import Api, matcher
from tests.support.certificates import CertificateAuthority
from tests.support.cluster import Cluster
from tests.support.eventually import eventually
from tests.support.node import ON, Node, metric
from tests.support.tocsin_node import TOCSIN
from tests.support.transports import Recorder
from tocsin.certificates import NodeFiles
from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.tls.transport import TLSTransport
from tocsin.gossip.wire.messages import NodeState, PushPull
from tocsin.gossip.wire.stream import StreamCodec
from tocsin.tls.settings import ClusterTLSConfig

GHOSTS = 2000
SECONDS = 7.5
ENOUGH = 30
"""Refused joins of one node: its bound was reached. How many it may answer depends on the time alone."""
ROUNDS = 20
DEADLINE = 240.0
VERSIONS = bytes((1, 5, 2, 0, 0, 0))

TLS = """\
tls_server_config:
  cert_file: node.crt
  key_file: node.key
  client_ca_file: ca.pem
  client_auth_type: RequireAndVerifyClientCert
tls_client_config:
  cert_file: node.crt
  key_file: node.key
  ca_file: ca.pem
"""


def files(folder: Path, authority: CertificateAuthority, name: str) -> NodeFiles:
    """A node's files, its name among the certificate's."""
    authority.issue("127.0.0.1", name).write(folder, "node")
    (folder / "ca.pem").write_bytes(authority.certificate)
    (folder / "tls.yml").write_text(TLS)
    return NodeFiles(folder)


@dataclass
class Figures:
    """What one node was like meanwhile."""

    api: list[float] = field(default_factory=list)
    silences: list[float] = field(default_factory=list)
    members: int = 0
    waiting: int = 0
    rss: float = 0.0
    cpu: float = 0.0
    """Seconds of a processor, what the measuring costs among it."""
    seconds: float = 0.0

    @property
    def rounds(self) -> int:
        """Of measuring."""
        return len(self.silences)

    def __str__(self) -> str:
        return (
            f"API median {statistics.median(self.api) * 1e3:.0f} ms, at most {max(self.api) * 1e3:.0f} ms;"
            f" a silence on the other node after {statistics.median(self.silences) * 1e3:.0f} ms (median),"
            f" {max(self.silences) * 1e3:.0f} ms at most; RSS {self.rss / 1e6:.0f} MB,"
            f" {self.cpu / self.seconds * 100:.0f} % of a processor;"
            f" at most {self.members} members, {self.waiting} newcomers"
        )


def cpu_of(api: Api) -> float:
    """Seconds of a processor that the node has used."""
    return metric(api.metrics(), "process_cpu_seconds_total")


def measure(first: Node, second: Node, until: asyncio.Event) -> Figures:
    found = Figures()
    here, there = Api(first.url), Api(second.url)
    started, spent = time.monotonic(), cpu_of(here)
    while not until.is_set() or found.rounds < ROUNDS:
        began = time.monotonic()
        name = f"silence-{found.rounds}"
        identifier = here.post_silence([matcher("alertname", name)])
        found.api.append(time.monotonic() - began)
        eventually(lambda: there.silence(identifier) is not None, f"{name} arrives", interval=0.005)  # noqa: B023
        found.silences.append(time.monotonic() - began)
        text = here.metrics()
        found.members = max(found.members, int(metric(text, "alertmanager_cluster_members")))
        found.waiting = max(found.waiting, int(metric(text, "tocsin_gossip_newcomers_waiting")))
        found.rss = max(found.rss, metric(text, "process_resident_memory_bytes"))
        time.sleep(0.05)
    found.cpu, found.seconds = cpu_of(here) - spent, time.monotonic() - started
    here.close()
    there.close()
    return found


@dataclass
class Stranger:
    """Holds one certificate, and joins under names that it invents."""

    own_name: bool
    joins: int = 0
    answered: Counter[Address] = field(default_factory=Counter)
    _random: random.Random = field(default_factory=lambda: random.Random(1))
    _codec: StreamCodec = field(default_factory=lambda: StreamCodec(label=b"", compression=False))

    async def join(self, transport: TLSTransport, target: Address) -> None:
        """Once more."""
        self.joins += 1
        at = bytes((127, 66, self.joins >> 8 & 255, self.joins & 255))
        table = [NodeState(f"ghost-{self._random.random()}", at, 9094, 1, 0, b"", VERSIONS)]
        if self.own_name:
            port = transport.listen_address.port
            table.append(NodeState("stranger", bytes((127, 0, 0, 1)), port, 1, 0, b"", VERSIONS))
        try:
            stream = await transport.open_stream(target, 10.0)
        except TransportError:
            return
        try:
            for data in self._codec.encode(PushPull(True, tuple(table)), reply=False):
                await stream.write(data)
            data = await stream.read()
            self.answered[target] += bool(data)
        except TransportError:
            pass
        finally:
            stream.abort()


@asynccontextmanager
async def transport(certificates: ClusterTLSConfig, *, quick: bool) -> AsyncIterator[TLSTransport]:
    """``quick``: by ``tocsin/1``, where a join needs no handshake, which is what a host is given least of."""
    settings = TLSTransportConfig(listen_address=Address("127.0.0.1", 0), offer_alpn=quick)
    made = TLSTransport(settings, certificates)
    await made.start(Recorder())
    try:
        yield made
    finally:
        await made.close()


async def attack(
    certificates: ClusterTLSConfig, stranger: Stranger, targets: list[Address], over: asyncio.Event
) -> None:
    """2,000 joins over 7.5 s, or as many as can be in that time."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    dues = [began + number * SECONDS / GHOSTS for number in reversed(range(GHOSTS))]

    async def join_in_time(by: TLSTransport) -> None:
        while dues and loop.time() < began + SECONDS:
            await asyncio.sleep(max(0.0, dues.pop() - loop.time()))
            await stranger.join(by, targets[stranger.joins % len(targets)])

    try:
        async with transport(certificates, quick=False) as framing:
            await asyncio.gather(*(join_in_time(framing) for _ in range(32)))
    finally:
        over.set()


async def go_on(
    certificates: ClusterTLSConfig, stranger: Stranger, target: Address, enough: Callable[[], bool]
) -> None:
    """As many more joins as are needed, one after the other."""
    end = time.monotonic() + DEADLINE
    async with transport(certificates, quick=True) as mux:
        while not await asyncio.to_thread(enough):
            assert time.monotonic() < end, "nobody holds the stranger back"
            await asyncio.gather(*(stranger.join(mux, target) for _ in range(32)))


@pytest.mark.parametrize("bind", [False, True], ids=["free names", "bound names"])
def test_phantoms_change_nothing(tmp_path: Path, bind: bool, capsys: pytest.CaptureFixture[str]) -> None:
    authority = CertificateAuthority()
    certificates = authority.cluster_config(authority.issue("127.0.0.1", "stranger"))
    flags = {"cluster.tls-bind-names": ON} if bind else {}
    with Cluster(tmp_path, flags=flags) as cluster:
        for name in ("first", "second", "third"):
            cluster.add(TOCSIN, name, peer_name=name, tls=files(tmp_path / "tls" / name, authority, name))
        cluster.wait_whole()
        first, second, _ = cluster.nodes
        targets = [Address("127.0.0.1", node.cluster_port) for node in cluster.nodes]
        stranger = Stranger(own_name=bind)
        config, shares = GossipConfig(), TLSTransportConfig(listen_address=targets[0])

        def enough(began: float) -> bool:
            """None has answered more joins than it may in the time, and the first has refused many."""
            allowed = config.join_burst + config.join_rate * (time.monotonic() - began) + 1
            assert max(stranger.answered.values(), default=0) <= allowed
            return metric(first.api.metrics(), "tocsin_gossip_joins_refused_total") > ENOUGH

        async def story() -> tuple[Figures, Figures]:
            over = asyncio.Event()
            over.set()
            before = await asyncio.to_thread(measure, first, second, over)
            over.clear()
            measuring = asyncio.create_task(asyncio.to_thread(measure, first, second, over))
            began = time.monotonic()
            await attack(certificates, stranger, targets, over)
            meanwhile = await measuring
            await go_on(certificates, stranger, targets[0], lambda: enough(began))
            return before, meanwhile

        before, meanwhile = asyncio.run(story())
        with capsys.disabled():
            answered = f"{stranger.answered.total()} of {stranger.joins} joins answered"
            print(f"\n{'bound' if bind else 'free'} names, {answered}")
            print(f"  before:    {before}\n  meanwhile: {meanwhile}")
        assert meanwhile.members <= 4, "at most one at a time is believed"
        assert meanwhile.waiting <= 128 + 1
        assert meanwhile.rss < before.rss + 64e6
        measuring = max(meanwhile.seconds / before.seconds, meanwhile.rounds / before.rounds) * before.cpu
        allowed = (shares.peer_share + shares.host_share) * meanwhile.seconds
        allowed += shares.peer_burst + shares.host_burst
        assert meanwhile.cpu < measuring + allowed, "it is charged for the work it makes"
        for node in cluster.nodes:
            node.wait_members(cluster.nodes, deadline=60)
        eventually(
            lambda: metric(first.api.metrics(), "tocsin_gossip_newcomers_waiting") == 0, "all are forgotten"
        )
