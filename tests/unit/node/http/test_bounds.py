"""Every bound of the HTTP server is reached, counted, and spares the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tests.support.httpserver import QUICK, Client, serving, until
from tocsin.node.http.bounds import HTTPBounds
from tocsin.node.http.server import WebServer

GET = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
PATIENT = HTTPBounds()


def run(story: Callable[[WebServer], Awaitable[None]], bounds: HTTPBounds, app: Any = None) -> None:
    async def inner() -> None:
        async with asyncio.timeout(60), serving(app, bounds) as server:
            await story(server)
            assert server.statistics.bodies_bytes == 0 or server.statistics.connections

    asyncio.run(inner())


async def echo_size(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await Response(str(len(body)))(scope, receive, send)


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(b"x" * (32 << 20))(scope, receive, send)


def test_who_never_sends_a_byte_is_sent_away() -> None:
    async def story(server: WebServer) -> None:
        client = await Client.connect(server)
        assert await client.rest() == b""
        assert server.statistics.connections_closed["first_byte"] == 1
        await until(lambda: server.statistics.connections == 0)

    run(story, QUICK)


def test_headers_that_trickle_have_one_deadline_for_all() -> None:
    async def story(server: WebServer) -> None:
        client = await Client.connect(server)

        async def trickle() -> None:
            client.send(b"GET / HTTP/1.1\r\n")
            while True:
                client.send(b"X: a\r\n")
                await asyncio.sleep(0.02)

        slow = asyncio.create_task(trickle())
        assert (await client.rest()).startswith(b"HTTP/1.1 408 Request Timeout")
        slow.cancel()
        assert server.statistics.connections_closed["headers"] == 1

    run(story, QUICK)


def test_empty_lines_between_requests_are_no_sign_of_life() -> None:
    async def story(server: WebServer) -> None:
        client = await Client.connect(server)

        async def blank() -> None:
            while True:
                client.send(b"\r\n")
                await asyncio.sleep(0.02)

        slow = asyncio.create_task(blank())
        await client.rest()
        slow.cancel()
        assert server.statistics.connections_closed["headers"] == 1

    run(story, QUICK)


def test_a_body_that_trickles_ends() -> None:
    async def story(server: WebServer) -> None:
        client = await Client.connect(server)
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")

        async def trickle() -> None:
            while True:
                client.send(b"a")
                await asyncio.sleep(0.02)

        slow = asyncio.create_task(trickle())
        assert (await client.rest()).startswith(b"HTTP/1.1 408 Request Timeout")
        slow.cancel()
        assert server.statistics.connections_closed["body"] == 1

    run(story, QUICK, echo_size)


def test_a_body_that_comes_steadily_is_taken_however_long() -> None:
    async def story(server: WebServer) -> None:
        client = await Client.connect(server)
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n")
        for _ in range(60):
            client.send(b"a" * 1000)
            await asyncio.sleep(0.02)
        assert await client.answer() == b"HTTP/1.1 200 OK"
        client.close()

    run(story, replace(PATIENT, body_window=0.3, body_window_bytes=2000), echo_size)


def test_too_many_headers() -> None:
    async def story(server: WebServer) -> None:
        client = await Client.connect(server)
        client.send(b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * (PATIENT.header_count + 1) + b"\r\n")
        assert (await client.rest()).startswith(b"HTTP/1.1 431 ")
        assert server.statistics.requests_refused["header_count"] == 1

    run(story, PATIENT)


def test_long_headers() -> None:
    async def story(server: WebServer) -> None:
        client = await Client.connect(server)
        client.send(b"GET / HTTP/1.1\r\nX: " + b"a" * 600_000)
        await client.rest()
        assert server.statistics.requests_refused["header_bytes"] == 1

    run(story, PATIENT)


CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nX-User: a\r\n\r\n2\r\n[]\r\n"


@pytest.mark.parametrize("start", [b"0\r\nX-A: ", b"0\r\nX-A: 1\r\nX-", b"5;"])
@pytest.mark.parametrize("answered", [False, True])
def test_what_is_between_the_pieces_of_a_body_has_the_bound_of_headers(start: bytes, answered: bool) -> None:
    """Trailers, and what may stand behind the length of a piece."""

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await Response("no", 401)(scope, receive, send)

    async def story(server: WebServer) -> None:
        client = await Client.connect(server)
        client.send(CHUNKED + start)
        if answered:
            assert await client.answer() == b"HTTP/1.1 401 Unauthorized"
        client.send(b"a" * 2_000_000)
        await client.rest()
        statistics = server.statistics
        closed = statistics.connections_closed["unread_body"]
        assert (closed, statistics.requests_refused["header_bytes"]) == (answered, not answered)

    run(story, PATIENT, refuse if answered else echo_size)


@pytest.mark.parametrize("piece", [b"1\r\n \r\n", b"1;" + b"a" * 60 + b"\r\n \r\n"])
def test_a_body_comes_in_no_more_pieces_than_it_may(piece: bytes) -> None:
    async def story(server: WebServer) -> None:
        few, many = await Client.connect(server), await Client.connect(server)
        few.send(CHUNKED + b"40\r\n" + b"a" * 64 + b"\r\n" + piece * 1000 + b"0\r\n\r\n")
        assert await few.answer() == b"HTTP/1.1 200 OK"
        few.send((CHUNKED + b"40\r\n" + b"a" * 64 + b"\r\n") * 3)  # Each body anew.
        many.send(CHUNKED + piece * 2000)
        assert (await many.rest()).startswith(b"HTTP/1.1 400 ")
        assert server.statistics.requests_refused["body_pieces"] == 1
        few.close()

    run(story, PATIENT, echo_size)


def test_trailers_are_no_headers() -> None:
    """The name that a proxy gives stands in a header: the client's own must not be put beside it."""

    async def names(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await request.body()
        await Response(",".join(request.headers.getlist("x-user")))(scope, receive, send)

    async def story(server: WebServer) -> None:
        client = await Client.connect(server)
        client.send(CHUNKED + b"0\r\n" + b"X-User: b\r\n" * (PATIENT.header_count + 1) + b"\r\n" + GET)
        found = await client.reader.readuntil(b"\r\n\r\na")
        assert found.startswith(b"HTTP/1.1 200 OK")
        assert await client.answer() == b"HTTP/1.1 200 OK"
        client.close()

    run(story, PATIENT, names)


def test_what_is_no_http() -> None:
    async def story(server: WebServer) -> None:
        client = await Client.connect(server)
        client.send(b"\x16\x03\x01 this is none\r\n\r\n")
        assert (await client.rest()).startswith(b"HTTP/1.1 400 ")
        assert server.statistics.requests_refused["malformed"] == 1

    run(story, PATIENT)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"400 Bad Request"),
        (b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", b"505 HTTP Version Not Supported"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n", b"417 Expectation Failed"),
        (b"GET / HTTP/1.0\r\n\r\n", b"200 OK"),
        (b"GET /?a=%zz HTTP/1.1\r\nHost: x\r\n\r\n", b"200 OK"),
        ("GET /?filter=é HTTP/1.1\r\nHost: x\r\n\r\n".encode(), b"200 OK"),
    ],
)
def test_what_go_s_server_says_of_a_request(request_: bytes, status: bytes) -> None:
    async def story(server: WebServer) -> None:
        client = await Client.connect(server)
        client.send(request_)
        assert (await client.answer()).startswith(b"HTTP/1.1 " + status)
        client.close()

    run(story, PATIENT)


def test_requests_that_wait_for_answers_are_few() -> None:
    begun = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await asyncio.sleep(3600)

    async def story(server: WebServer) -> None:
        client = await Client.connect(server)
        client.send(GET)
        await begun.wait()
        client.send(GET * 2000)
        assert await client.rest() == b""
        assert server.statistics.requests_refused["pipelined"] == 1
        for task in server._server.server_state.tasks:
            task.cancel()

    run(story, PATIENT, slow)


def test_a_few_requests_at_once_are_answered_in_turn() -> None:
    async def story(server: WebServer) -> None:
        client = await Client.connect(server)
        client.send(GET * 10)
        for _ in range(10):
            assert await client.answer() == b"HTTP/1.1 200 OK"
        client.close()

    run(story, PATIENT)


def test_a_connection_that_rests_too_long_is_closed() -> None:
    async def story(server: WebServer) -> None:
        client = await Client.connect(server)
        client.send(GET)
        assert await client.answer() == b"HTTP/1.1 200 OK"
        assert await client.rest() == b""
        assert server.statistics.connections_closed["keep_alive"] == 1

    run(story, QUICK)


def test_who_does_not_read_the_answer_is_cut_off() -> None:
    async def story(server: WebServer) -> None:
        client = await Client.connect(server)
        client.send(GET)
        await until(lambda: server.statistics.connections_closed["answer"] == 1)
        await until(lambda: server.statistics.connections == 0)
        client.close()

    run(story, QUICK, large)


def test_who_does_not_read_what_was_left_at_the_close_is_cut_off() -> None:
    async def story(server: WebServer) -> None:
        client = await Client.connect(server)
        client.send(GET)
        await client.reader.read(1)  # The answer has begun, and is far more than fits on the way.
        client.send(b"no request at all\r\n\r\n")
        await until(lambda: server.statistics.connections_closed["linger"] == 1)
        await until(lambda: server.statistics.connections == 0)
        assert server.statistics.requests_refused["malformed"] == 1
        assert server.statistics.connections_closed["answer"] == 0
        client.close()

    run(story, replace(PATIENT, linger=0.2), large)


def test_answers_that_nobody_takes_have_a_bound_together() -> None:
    async def story(server: WebServer) -> None:
        clients = [await Client.connect(server) for _ in range(4)]
        for client in clients:
            client.send(GET)
        await until(lambda: server.statistics.connections_closed["answers_bytes"] >= 2)
        await until(lambda: server.statistics.connections <= 2)
        for client in clients:
            client.close()

    run(story, replace(PATIENT, answers_bytes=70 << 20), large)


def test_bodies_under_way_have_a_bound_together() -> None:
    async def story(server: WebServer) -> None:
        clients = [await Client.connect(server) for _ in range(4)]
        for client in clients:
            client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"a" * 40_000)
        ends = [asyncio.create_task(client.rest()) for client in clients]
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        assert done.pop().result().startswith(b"HTTP/1.1 503 ")
        assert server.statistics.requests_refused["bodies_bytes"] >= 1
        for end in ends:
            end.cancel()
        for client in clients:
            client.close()
        await until(lambda: server.statistics.bodies_bytes == 0)

    run(story, replace(PATIENT, bodies_bytes=130_000), echo_size)


def test_a_body_that_goes_on_after_the_answer_is_not_read_for_ever() -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await Response("no", 401)(scope, receive, send)

    async def story(server: WebServer) -> None:
        client = await Client.connect(server)
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
        assert await client.answer() == b"HTTP/1.1 401 Unauthorized"
        client.send(b"a" * 2_000_000)
        await client.rest()
        assert server.statistics.connections_closed["unread_body"] == 1

    run(story, PATIENT, refuse)


def test_one_address_has_so_many_places_and_a_newcomer_gets_the_longest_waiters() -> None:
    async def story(server: WebServer) -> None:
        clients = [await Client.connect(server) for _ in range(4)]
        await until(lambda: server.statistics.connections == 4)
        newcomer = await Client.connect(server)
        newcomer.send(GET)
        assert await newcomer.answer() == b"HTTP/1.1 200 OK"
        assert await clients[0].rest() == b""
        assert server.statistics.connections_closed["evicted"] == 1
        clients[1].send(GET)
        assert await clients[1].answer() == b"HTTP/1.1 200 OK"
        for client in (*clients, newcomer):
            client.close()

    run(story, replace(PATIENT, connections_per_address=4))


def test_a_crowd_of_newcomers_of_one_address_is_refused() -> None:
    async def story(server: WebServer) -> None:
        first = [await Client.connect(server) for _ in range(4)]
        await until(lambda: server.statistics.connections == 4)
        late = [await Client.connect(server) for _ in range(3)]
        for client in late:
            assert await client.rest() == b""
        assert server.statistics.connections_refused["address"] == 3
        assert server.statistics.connections_closed["evicted"] == 0
        for client in first:
            client.close()

    run(story, replace(PATIENT, connections_per_address=4, few=2))


def test_when_all_places_are_taken_the_address_with_most_gives_one_up() -> None:
    async def story(server: WebServer) -> None:
        quiet = await Client.connect(server, "127.0.0.2")
        greedy = [await Client.connect(server, "127.0.0.3") for _ in range(3)]
        await until(lambda: server.statistics.connections == 4)
        newcomer = await Client.connect(server, "127.0.0.4")
        newcomer.send(GET)
        assert await newcomer.answer() == b"HTTP/1.1 200 OK"
        assert await greedy[0].rest() == b""
        quiet.send(GET)
        assert await quiet.answer() == b"HTTP/1.1 200 OK"
        for client in (quiet, newcomer, *greedy):
            client.close()

    run(story, replace(PATIENT, connections=4))


def test_nobody_is_sent_away_while_his_request_is_in_work() -> None:
    go_on = asyncio.Event()
    working = 0

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal working
        working += 1
        await go_on.wait()
        await Response("done")(scope, receive, send)

    async def story(server: WebServer) -> None:
        clients = [await Client.connect(server) for _ in range(3)]
        for client in clients:
            client.send(GET)
        await until(lambda: working == 3)
        late = await Client.connect(server)
        assert await late.rest() == b""
        assert server.statistics.connections_refused["address"] == 1
        other = await Client.connect(server, "127.0.0.2")
        assert await other.rest() == b""
        assert server.statistics.connections_refused["total"] == 1
        go_on.set()
        for client in clients:
            assert await client.answer() == b"HTTP/1.1 200 OK"
            client.close()

    run(story, replace(PATIENT, connections=3, connections_per_address=3), slow)
