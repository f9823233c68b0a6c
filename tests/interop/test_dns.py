"""Discovery by a real DNS server whose records change while it runs, and which fails in every way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.support import nameserver
from tests.support.nameserver import NameServer
from tests.support.transports import eventually
from tocsin.errors import TransportError
from tocsin.gossip.discovery.nameserver import NameServers
from tocsin.gossip.discovery.policy import Discovery
from tocsin.gossip.discovery.sources import Name, Service, Source
from tocsin.node.cluster.discovery import DiscoveryLoop, Resolvers
from tocsin.node.log import Logger

pytestmark = pytest.mark.interop

SERVICE = Service("_gossip._tcp.cluster.test")
POOL = Name("pool.cluster.test", 9094, dns=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NameServer]:
    if reason := nameserver.why_not():
        pytest.skip(reason)
    with NameServer(tmp_path / "nsd") as server:
        yield server


def node(name: str, address: str, port: int = 9094) -> list[str]:
    kind = "AAAA" if ":" in address else "A"
    return [f"_gossip._tcp 5 SRV 0 0 {port} {name}", f"{name} 5 {kind} {address}"]


def pool(*addresses: str) -> list[str]:
    return [f"pool 5 {'AAAA' if ':' in address else 'A'} {address}" for address in addresses]


class Watch:
    """Discovery at ``source``, in a hurry."""

    def __init__(self, server: NameServer, source: Source) -> None:
        loop = asyncio.get_running_loop()
        self.machine = Discovery([source], interval=0.2, random=Random(1), now=loop.time())
        self.machine._wait = lambda source, lifetime: 0.2  # type: ignore[method-assign]  # whatever the TTL
        self.loop = DiscoveryLoop(
            self.machine,
            Resolvers([("127.0.0.1", server.port)]),
            on_events=lambda events: None,
            on_answer=lambda addresses: None,
            keep=lambda targets: None,
            log=Logger("tocsin.test"),
        )

    @property
    def found(self) -> set[str]:
        return {str(target.address) for target in self.machine.targets}

    @property
    def failures(self) -> int:
        return self.machine.statistics.failures.total()


def watching(server: NameServer, source: Source, story: Callable[[Watch], Awaitable[None]]) -> None:
    async def main() -> None:
        watch = Watch(server, source)
        watch.loop.start()
        try:
            await story(watch)
        finally:
            await watch.loop.close()

    asyncio.run(main())


async def serve(server: NameServer, records: list[str]) -> None:
    await asyncio.to_thread(server.serve, records)


def test_a_service_follows_its_records_and_each_peer_carries_its_host_name(server: NameServer) -> None:
    server.start(node("a", "127.0.0.1", 1001) + node("b", "::1", 1002))

    async def story(watch: Watch) -> None:
        await eventually(lambda: watch.found == {"127.0.0.1:1001", "[::1]:1002"}, 30)
        hosts = {str(target.address): target.host for target in watch.machine.targets}
        assert hosts == {"127.0.0.1:1001": "a.cluster.test", "[::1]:1002": "b.cluster.test"}
        await serve(server, node("a", "127.0.0.1", 1001) + node("c", "127.0.0.3", 1003))
        await eventually(lambda: watch.found == {"127.0.0.1:1001", "127.0.0.3:1003"}, 30)
        await serve(server, node("a", "127.0.0.9", 1001) + node("c", "127.0.0.3", 1003))
        await eventually(lambda: watch.found == {"127.0.0.9:1001", "127.0.0.3:1003"}, 30)
        assert watch.machine.statistics.forgotten == 2

    watching(server, SERVICE, story)


def test_a_name_has_addresses_of_both_families(server: NameServer) -> None:
    server.start(pool("127.0.0.1", "127.0.0.2", "::1"))

    async def story(watch: Watch) -> None:
        await eventually(lambda: watch.found == {"127.0.0.1:9094", "127.0.0.2:9094", "[::1]:9094"}, 30)
        assert {target.host for target in watch.machine.targets} == {"pool.cluster.test"}

    watching(server, POOL, story)


def test_more_records_than_fit_a_datagram_come_by_tcp(server: NameServer) -> None:
    addresses = [f"127.0.{n // 250}.{n % 250 + 1}" for n in range(500)]
    server.start(
        pool(*addresses) + [r for n in range(150) for r in node(f"long-name-number-{n}", "127.0.0.1", n + 1)]
    )

    async def main() -> None:
        servers = NameServers([("127.0.0.1", server.port)])
        answer = await servers.addresses("pool.cluster.test", 1, timeout=30)
        assert {target.address.host for target in answer.targets} == set(addresses)
        answer = await servers.service(SERVICE.name, timeout=30)
        assert len(answer.sources) == 150
        assert answer.lifetime == 5

    asyncio.run(main())


def test_no_such_name_and_no_records_keep_the_last_good_list(server: NameServer) -> None:
    server.start(pool("127.0.0.1"))

    async def story(watch: Watch) -> None:
        await eventually(lambda: watch.found == {"127.0.0.1:9094"}, 30)
        for records in ([], ["pool 5 TXT nothing"]):
            empty = watch.machine.statistics.empty_answers
            await serve(server, records)
            # Past the grace time.
            await eventually(lambda before=empty: watch.machine.statistics.empty_answers > before + 6, 30)  # type: ignore[misc]
            assert watch.found == {"127.0.0.1:9094"}
        assert watch.failures == 0
        await serve(server, pool("127.0.0.2"))
        await eventually(lambda: watch.found == {"127.0.0.2:9094"}, 30)

    watching(server, POOL, story)


def test_a_server_that_fails_dies_or_freezes_keeps_the_last_good_list_and_is_asked_until_it_is_back(
    server: NameServer,
) -> None:
    server.start(node("a", "127.0.0.1"))

    async def story(watch: Watch) -> None:
        async def fails() -> None:
            before = watch.failures
            await eventually(lambda: watch.failures > before + 1, 60)
            assert watch.found == {"127.0.0.1:9094"}

        async def recovers(address: str) -> None:
            await eventually(lambda: watch.found == {f"{address}:9094"}, 60)

        await eventually(lambda: watch.found == {"127.0.0.1:9094"}, 30)
        await asyncio.to_thread(server.stop)  # dead: the port refuses
        await fails()
        await asyncio.to_thread(server.start, None)  # SERVFAIL
        await fails()
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start, node("a", "127.0.0.2"))
        await recovers("127.0.0.2")
        server.freeze()
        before = watch.failures
        await eventually(lambda: watch.failures > before, 60)
        assert watch.found == {"127.0.0.2:9094"}
        server.thaw()
        await serve(server, node("a", "127.0.0.3"))
        await recovers("127.0.0.3")

    watching(server, SERVICE, story)


def test_each_way_to_fail_is_one_clear_error(server: NameServer) -> None:
    async def asked(words: str, timeout: float = 30) -> None:
        servers = NameServers([("127.0.0.1", server.port)])
        with pytest.raises(TransportError, match=words):
            await servers.service(SERVICE.name, timeout=timeout)
        with pytest.raises(TransportError, match=words):
            await servers.addresses("pool.cluster.test", 1, timeout=timeout)

    asyncio.run(asked("failed"))
    server.start(None)
    asyncio.run(asked("SERVFAIL"))
    server.freeze()
    asyncio.run(asked("took more than 0.5 s", timeout=0.5))
    server.thaw()
