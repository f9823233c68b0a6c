"""A process that may open no more files accepts nothing for a moment, and goes on serving whom it has."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.httpserver import Client, serving, until
from tocsin.node.http import acceptor
from tocsin.node.http.server import WebServer

GET = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"


def run(story: Callable[[WebServer], Awaitable[None]]) -> None:
    async def inner() -> None:
        async with asyncio.timeout(60), serving() as server:
            await story(server)

    asyncio.run(inner())


@contextmanager
def no_descriptors() -> Iterator[None]:
    """This process may open nothing within; what is open stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def newcomer(server: WebServer) -> socket.socket:
    """Connected, and waiting to be accepted: nothing else has had a turn since."""
    return socket.create_connection(server.addresses[0])


def test_without_descriptors_connections_go_on_and_the_newcomer_is_accepted_later() -> None:
    async def story(server: WebServer) -> None:
        client = await Client.connect(server)
        client.send(GET)
        assert await client.answer() == b"HTTP/1.1 200 OK"
        late = newcomer(server)
        with no_descriptors():
            await until(lambda: server.statistics.connections_refused["descriptors"] >= 2)
            client.send(GET)
            assert await client.answer() == b"HTTP/1.1 200 OK"
            assert server.statistics.connections_accepted == 1
        accepted = Client(*await asyncio.open_connection(sock=late))
        accepted.send(GET)
        assert await accepted.answer() == b"HTTP/1.1 200 OK"
        client.close()
        accepted.close()

    run(story)


def test_it_is_not_tried_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "_PAUSE", 3600.0)

    async def story(server: WebServer) -> None:
        late = newcomer(server)
        with no_descriptors():
            await until(lambda: server.statistics.connections_refused["descriptors"] == 1)
            for _ in range(100):
                await asyncio.sleep(0)
            assert server.statistics.connections_refused["descriptors"] == 1
        late.close()

    run(story)
