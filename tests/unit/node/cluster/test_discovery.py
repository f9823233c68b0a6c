"""The loop that asks: files that change, names of the system, what is kept for the next run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest

from tests.support.transports import eventually
from tocsin.errors import TocsinError
from tocsin.gossip.address import Address
from tocsin.gossip.discovery.policy import Discovery, DiscoveryEvent, Forgotten
from tocsin.gossip.discovery.sources import Answer, File, Name, Source, Target
from tocsin.node.cluster.discovery import DiscoveryLoop, Resolvers, dump_targets, load_targets
from tocsin.node.log import Logger


class Watch:
    """A loop, and what it told."""

    def __init__(self, *roots: Source, resolvers: Resolvers | None = None, interval: float = 0.05) -> None:
        self.events: list[DiscoveryEvent] = []
        self.kept: list[list[Target]] = []
        now = asyncio.get_running_loop().time()
        self.machine = Discovery(roots, interval=interval, random=Random(1), now=now)
        self.loop = DiscoveryLoop(
            self.machine,
            resolvers or Resolvers(),
            on_events=self.events.extend,
            on_answer=lambda addresses: None,
            keep=self.kept.append,
            log=Logger("tocsin.test"),
        )

    async def __aenter__(self) -> Watch:
        self.loop.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.loop.close()

    @property
    def hosts(self) -> set[str]:
        return {target.address.host for target in self.machine.targets}


def test_a_file_is_read_again_when_it_changes_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "peers"

    async def main() -> None:
        async with Watch(File(str(path))) as watch:
            await eventually(lambda: watch.machine.statistics.failures["file"])  # it is not there yet
            path.write_text("10.0.0.1:1\n10.0.0.2:1\n")
            await eventually(lambda: watch.hosts == {"10.0.0.1", "10.0.0.2"})
            failures = watch.machine.statistics.failures["file"]
            path.write_text("10.0.0.1:1\nrubbish\n")
            await eventually(lambda: watch.machine.statistics.failures["file"] > failures)
            assert watch.hosts == {"10.0.0.1", "10.0.0.2"}
            path.write_text("10.0.0.1:1\n10.0.0.3:1\n")
            await eventually(lambda: watch.hosts == {"10.0.0.1", "10.0.0.3"})
            assert Forgotten(Target(Address("10.0.0.2", 1))) in watch.events
            path.write_text("# nobody\n")
            await eventually(lambda: watch.machine.statistics.empty_answers)
            assert watch.hosts == {"10.0.0.1", "10.0.0.3"}
            assert {target.address.host for target in watch.kept[-1]} == {"10.0.0.1", "10.0.0.3"}

    asyncio.run(main())


def test_a_plain_host_name_is_asked_of_the_system_again_and_again_and_carries_its_name() -> None:
    async def main() -> None:
        async with Watch(Name("localhost", 7)) as watch:
            await eventually(lambda: watch.machine.statistics.resolutions > 2)
            assert "127.0.0.1" in watch.hosts
            assert watch.machine.host(Address("127.0.0.1", 7)) == "localhost"

    asyncio.run(main())


def test_a_resolver_that_breaks_is_asked_again() -> None:
    class Broken(Resolvers):
        asked = 0

        async def ask(self, source: Source) -> Answer:
            self.asked += 1
            if self.asked < 3:
                raise RuntimeError("a bug")
            return Answer(targets=(Target(Address("10.0.0.1", 1)),))

    async def main() -> None:
        async with Watch(Name("x", 1), resolvers=Broken()) as watch:
            await eventually(lambda: watch.hosts == {"10.0.0.1"})

    asyncio.run(main())


def test_a_name_that_nobody_knows_is_one_error() -> None:
    with pytest.raises(TocsinError, match=r"nobody\.invalid"):
        asyncio.run(Resolvers().ask(Name("nobody.invalid", 1)))


def test_what_is_kept_comes_back_and_rubbish_does_not() -> None:
    targets = (Target(Address("10.0.0.1", 1), "a.example"), Target(Address("::1", 2)))
    assert load_targets(dump_targets(targets)) == targets
    good = '["10.0.0.1",1,"x"]'
    for rubbish in ("", "{", "7", "[7]", '[["x",1,""]]', '[["10.0.0.1",0,""]]', '[["10.0.0.1",1]]'):
        assert load_targets(rubbish) == ()
    assert load_targets(f'[["x",1,""],{good},null]') == (Target(Address("10.0.0.1", 1), "x"),)
