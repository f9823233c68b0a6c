"""One certificate joins 2,000 times under invented names: members, memory and delays stay as they are."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
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
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.tls.transport import TLSTransport
from tocsin.gossip.wire.messages import NodeState, PushPull
from tocsin.gossip.wire.stream import StreamCodec

GHOSTS = 2000
SECONDS = 7.5
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
    """Seconds of a processor in each second, what the measuring costs among it."""

    def __str__(self) -> str:
        return (
            f"API median {statistics.median(self.api) * 1e3:.0f} ms, at most {max(self.api) * 1e3:.0f} ms;"
            f" a silence on the other node after {statistics.median(self.silences) * 1e3:.0f} ms (median),"
            f" {max(self.silences) * 1e3:.0f} ms at most; RSS {self.rss / 1e6:.0f} MB,"
            f" {self.cpu * 100:.0f} % of a processor;"
            f" at most {self.members} members, {self.waiting} newcomers"
        )


def cpu_of(api: Api) -> float:
    """Seconds of a processor that the node has used."""
    return metric(api.metrics(), "process_cpu_seconds_total")


def measure(first: Node, second: Node, until: asyncio.Event) -> Figures:
    found = Figures()
    here, there = Api(first.url), Api(second.url)
    number = 0
    started, spent = time.monotonic(), cpu_of(here)
    while not until.is_set() or number < 5:
        began = time.monotonic()
        name = f"silence-{number}"
        identifier = here.post_silence([matcher("alertname", name)])
        found.api.append(time.monotonic() - began)
        eventually(lambda: there.silence(identifier) is not None, f"{name} arrives", interval=0.005)  # noqa: B023
        found.silences.append(time.monotonic() - began)
        text = here.metrics()
        found.members = max(found.members, int(metric(text, "alertmanager_cluster_members")))
        found.waiting = max(found.waiting, int(metric(text, "tocsin_gossip_newcomers_waiting")))
        found.rss = max(found.rss, metric(text, "process_resident_memory_bytes"))
        number += 1
        time.sleep(0.05)
    found.cpu = (cpu_of(here) - spent) / (time.monotonic() - started)
    here.close()
    there.close()
    return found


async def attack(authority: CertificateAuthority, targets: list[Address], *, own_name: bool) -> int:
    """2,000 joins over 7.5 s; how many were answered."""
    chance = random.Random(1)
    certificate = authority.issue("127.0.0.1", "stranger")
    settings = TLSTransportConfig(listen_address=Address("127.0.0.1", 0), offer_alpn=False)
    transport = TLSTransport(settings, authority.cluster_config(certificate))
    await transport.start(Recorder())
    codec = StreamCodec(label=b"", compression=False)
    answered = 0
    busy = asyncio.Semaphore(32)

    async def join(number: int) -> None:
        nonlocal answered
        at = bytes((127, 66, number >> 8 & 255, number & 255))
        table = [NodeState(f"ghost-{chance.random()}", at, 9094, 1, 0, b"", VERSIONS)]
        if own_name:
            port = transport.listen_address.port
            table.append(NodeState("stranger", bytes((127, 0, 0, 1)), port, 1, 0, b"", VERSIONS))
        async with busy:
            try:
                stream = await transport.open_stream(targets[number % len(targets)], 10.0)
            except TransportError:
                return
            try:
                for data in codec.encode(PushPull(True, tuple(table)), reply=False):
                    await stream.write(data)
                answered += bool(await stream.read())
            except TransportError:
                pass
            finally:
                stream.abort()

    loop = asyncio.get_running_loop()
    began = loop.time()
    tasks = []
    for number in range(GHOSTS):
        tasks.append(asyncio.create_task(join(number)))
        await asyncio.sleep(max(0.0, began + number * SECONDS / GHOSTS - loop.time()))
    await asyncio.gather(*tasks)
    await transport.close()
    return answered


@pytest.mark.parametrize("bind", [False, True], ids=["free names", "bound names"])
def test_phantoms_change_nothing(tmp_path: Path, bind: bool, capsys: pytest.CaptureFixture[str]) -> None:
    authority = CertificateAuthority()
    flags = {"cluster.tls-bind-names": ON} if bind else {}
    with Cluster(tmp_path, flags=flags) as cluster:
        for name in ("first", "second", "third"):
            cluster.add(TOCSIN, name, peer_name=name, tls=files(tmp_path / "tls" / name, authority, name))
        cluster.wait_whole()
        first, second, _ = cluster.nodes
        targets = [Address("127.0.0.1", node.cluster_port) for node in cluster.nodes]

        async def story() -> tuple[Figures, Figures, int]:
            over = asyncio.Event()
            over.set()
            before = await asyncio.to_thread(measure, first, second, over)
            over.clear()
            measuring = asyncio.create_task(asyncio.to_thread(measure, first, second, over))
            answered = await attack(authority, targets, own_name=bind)
            over.set()
            return before, await measuring, answered

        before, meanwhile, answered = asyncio.run(story())
        with capsys.disabled():
            print(f"\n{'bound' if bind else 'free'} names, {answered} of {GHOSTS} joins answered")
            print(f"  before:    {before}\n  meanwhile: {meanwhile}")
        text = first.api.metrics()
        refused = metric(text, "tocsin_gossip_joins_refused_total")
        assert refused > GHOSTS / 3 / 2
        assert meanwhile.members <= 4, "at most one at a time is believed"
        assert meanwhile.waiting <= 128 + 1
        assert meanwhile.rss < before.rss + 64e6
        shares = TLSTransportConfig(listen_address=targets[0])
        allowed = shares.peer_share + shares.host_share + (shares.peer_burst + shares.host_burst) / SECONDS
        assert meanwhile.cpu < before.cpu + allowed, "it is charged for the work it makes"
        for node in cluster.nodes:
            node.wait_members(cluster.nodes, deadline=60)
        eventually(
            lambda: metric(first.api.metrics(), "tocsin_gossip_newcomers_waiting") == 0, "all are forgotten"
        )
