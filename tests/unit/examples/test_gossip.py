"""The programs in examples/gossip do what they say. Those with real peers: tests/interop/test_examples.py."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import httpx
import pytest
import trio
from prometheus_client import CollectorRegistry, generate_latest

from tests.support.eventually import DEADLINE, eventually
from tocsin.gossip.testing import Cluster, simulate

FOLDER = Path(__file__).parents[3] / "examples/gossip"
WITH_REAL_PEERS = {"serf", "alertmanager"}
TESTED_ELSEWHERE = {"chat", "metrics", "on_trio", "web"}
SAYS = {
    "keyvalue": "all say blue\n",
    "leader": "leads: carol\nleads: alice\nleads: carol\n",
    "registry": "stores: http://192.0.2.11 http://192.0.2.12\nstores: http://192.0.2.12\n",
    "rotation": "".join(f"{step} done by bob carol\n" for step in ("install", "use", "remove"))
    + "one key each: True\n",
}


def load(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", SAYS)
def test_it_prints_what_it_should(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(asyncio.wait_for(load(name).main(), 60))
    assert capsys.readouterr().out == SAYS[name]


def test_every_program_is_tested_and_short() -> None:
    programs = {path.stem: len(path.read_text().splitlines()) for path in FOLDER.glob("*.py")}
    assert set(programs) == SAYS.keys() | TESTED_ELSEWHERE | WITH_REAL_PEERS
    assert max(programs.values()) <= 120


def test_the_driver_for_trio_has_a_hundred_lines() -> None:
    driver, _main = (FOLDER / "on_trio.py").read_text().split("\n\n\nasync def main()")
    assert len(driver.splitlines()) <= 100


def test_the_core_runs_on_trio(capsys: pytest.CaptureFixture[str]) -> None:
    trio.run(load("on_trio").main)
    assert "alice bob\n" in capsys.readouterr().out


def test_gossip_lives_as_long_as_the_web_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOSSIP_NAME", "web-1")
    web = load("web")

    async def main() -> None:
        transport = httpx.ASGITransport(app=web.app)
        async with (
            web.lifespan(web.app),
            httpx.AsyncClient(transport=transport, base_url="http://a") as client,
        ):
            assert list((await client.get("/members")).json()) == ["web-1"]
            gossip = web.app.state.gossip
        assert not gossip.members

    asyncio.run(main())


def test_counters_go_to_prometheus() -> None:
    async def scenario(cluster: Cluster) -> None:
        alice, _ = await cluster.members("alice", "bob")
        registry = CollectorRegistry()
        registry.register(load("metrics").GossipCollector(alice))
        await asyncio.sleep(5)
        text = generate_latest(registry).decode()
        assert 'gossip_push_pulls_answered_total{kind=""} 1.0' in text
        assert 'gossip_messages_received_total{kind="Ping"}' in text

    simulate(scenario)


@contextmanager
def chatting(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(FOLDER / "chat.py"), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    patience = threading.Timer(DEADLINE, process.kill)  # a line that never comes ends the reading
    patience.start()
    try:
        yield process
    finally:
        patience.cancel()
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def read_until(process: subprocess.Popen[str], wanted: str) -> str:
    """The first line that begins so; a busy machine may bring others before it."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line.strip())
        if seen[-1].startswith(wanted):
            return seen[-1]
    raise AssertionError(f"no {wanted!r} in {seen}")


def test_two_people_chat() -> None:
    with chatting("alice", "127.0.0.1:0") as alice:
        at = read_until(alice, "* at ").removeprefix("* at ")
        with chatting("bob", "127.0.0.1:0", at) as bob:
            read_until(bob, "* alice is here")
            read_until(alice, "* bob is here")
            assert bob.stdin is not None
            bob.stdin.write("good morning\n")
            read_until(alice, "bob: good morning")
            bob.stdin.close()
            read_until(alice, "* bob has gone")
            eventually(lambda: bob.poll() == 0, "bob ends by himself")
