"""What systemd is told, seen by a socket in its place."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tocsin.node.service import ServiceManager


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(path)
        one.settimeout(30)
        yield one, path


def told(one: socket.socket) -> dict[str, str]:
    return dict(line.split("=", 1) for line in one.recv(4096).decode().splitlines())


def test_a_start_a_reload_and_a_stop_are_told(manager: tuple[socket.socket, str]) -> None:
    one, path = manager
    environment = {"NOTIFY_SOCKET": path}
    service = ServiceManager(environment)
    assert not environment  # no child takes it for its own
    service.ready()
    assert told(one)["READY"] == "1"
    service.reloading()
    reloading = told(one)
    assert reloading["RELOADING"] == "1"
    assert int(reloading["MONOTONIC_USEC"]) > 0
    service.stopping()
    assert told(one)["STOPPING"] == "1"


def test_an_abstract_address_is_reached() -> None:
    name = f"tocsin-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(f"\0{name}")
        one.settimeout(30)
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert told(one)["READY"] == "1"


def test_the_watchdog_is_fed_by_the_event_loop(manager: tuple[socket.socket, str]) -> None:
    one, path = manager
    service = ServiceManager({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "40000"})
    assert service.watchdog == 0.04

    async def three_times() -> None:
        feeding = asyncio.create_task(service.feed_watchdog())
        for _ in range(3):
            assert (await asyncio.to_thread(told, one)) == {"WATCHDOG": "1"}
        feeding.cancel()

    asyncio.run(three_times())


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": "/nonexistent/notify"},
        {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "x"},
    ],
)
def test_without_a_manager_nothing_happens(environment: dict[str, str]) -> None:
    service = ServiceManager(environment)
    service.ready()
    asyncio.run(service.feed_watchdog())
    assert service.watchdog == 0
