"""The HTTP server on real sockets of the loopback interface."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tests.support.api_backend import LoneNode
from tests.support.api_requests import matcher, silence
from tests.support.certificates import CertificateAuthority
from tests.support.httpserver import serving
from tocsin.alerting.timestamp import SECOND, format_milliseconds
from tocsin.errors import ConfigError
from tocsin.node.api import Limits, create_app
from tocsin.node.api.people import PeopleRules
from tocsin.node.http.bounds import HTTPBounds
from tocsin.node.http.coalescing import COALESCED_BYTES, CoalescingTransport
from tocsin.node.http.server import WebServer

Story = Callable[[WebServer], Awaitable[None]]


def serve(story: Story, *addresses: str) -> None:
    async def run() -> None:
        server = WebServer(create_app(LoneNode()), addresses or ("127.0.0.1:0",))
        await server.start()
        try:
            await story(server)
        finally:
            await server.stop()

    asyncio.run(run())


def test_it_answers_on_every_address() -> None:
    async def story(server: WebServer) -> None:
        assert len({port for _, port in server.addresses}) == 2
        async with httpx.AsyncClient(trust_env=False) as http:
            for host, port in server.addresses:
                answer = await http.get(f"http://{host}:{port}/-/healthy")
                assert (answer.status_code, answer.text) == (200, "OK")
                assert "server" not in answer.headers

    serve(story, "127.0.0.1:0", "127.0.0.1:0")


def test_a_taken_port_is_one_clear_error_and_frees_the_others() -> None:
    async def story(server: WebServer) -> None:
        [(host, port)] = server.addresses
        late = WebServer(create_app(LoneNode()), ["127.0.0.1:0", f"{host}:{port}"])
        expected = f"--web.listen-address: cannot listen on {host}:{port}: Address already in use"
        with pytest.raises(ConfigError, match=re.escape(expected)):
            await late.start()
        await late.stop()

    serve(story)


def test_headers_without_an_end_are_refused() -> None:
    async def story(server: WebServer) -> None:
        [(host, port)] = server.addresses
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nX-Long: ")
        chunk = b"a" * 16_384
        sent = 0
        try:
            while sent < 64 * HTTPBounds().header_bytes and not reader.at_eof():
                writer.write(chunk)
                await writer.drain()
                sent += len(chunk)
                await asyncio.sleep(0)
            assert b"431" in await reader.readline()
        except ConnectionError:
            pass  # the answer was lost as more was on its way; that it was closed is what counts
        assert sent < 64 * HTTPBounds().header_bytes
        writer.close()

    serve(story)


class Written:
    """A transport that notes what is written at once, and when it was closed."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.writes.append(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def test_what_is_written_in_one_turn_leaves_in_one_write() -> None:
    async def story() -> None:
        real = Written()
        transport = CoalescingTransport(real, asyncio.get_running_loop())  # type: ignore[arg-type]
        large = bytes(COALESCED_BYTES + 1)
        transport.write(b"head ")
        transport.write(b"body")
        assert not real.writes
        await asyncio.sleep(0)
        transport.write(b"head ")
        transport.write(large)
        transport.write(b"end")
        assert not transport.is_closing()
        transport.close()
        assert real.writes == [b"head body", b"head ", large, b"end"]
        transport.write(b"too late")
        await asyncio.sleep(0)
        assert len(real.writes) == 4

    asyncio.run(story())


def test_a_long_header_within_the_bound_is_taken() -> None:
    async def story(server: WebServer) -> None:
        [(host, port)] = server.addresses
        async with httpx.AsyncClient(trust_env=False) as http:
            for _ in range(3):  # on one connection: each request has the bound for itself
                answer = await http.get(f"http://{host}:{port}/-/ready", headers={"X": "a" * 40_000})
                assert answer.status_code == 200

    serve(story)


def test_a_request_under_way_is_finished_at_a_stop() -> None:
    begun = asyncio.Event()
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        begun.set()
        await go_on.wait()
        await Response("done")(scope, receive, send)

    async def run() -> None:
        server = WebServer(app, ["127.0.0.1:0"])
        await server.start()
        [(host, port)] = server.addresses
        async with httpx.AsyncClient(trust_env=False) as http:
            request = asyncio.create_task(http.get(f"http://{host}:{port}/"))
            await begun.wait()
            stopping = asyncio.create_task(server.stop())
            await asyncio.sleep(0)
            go_on.set()
            assert (await request).text == "done"
            await stopping
            with pytest.raises(httpx.ConnectError):
                await http.get(f"http://{host}:{port}/")

    asyncio.run(run())


def test_a_long_answer_that_is_cut_at_a_stop_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tocsin.node.http.server.STOP_GRACE", 0)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        await asyncio.Event().wait()

    async def run() -> None:
        server = WebServer(app, ["127.0.0.1:0"])
        await server.start()
        [(host, port)] = server.addresses
        async with (
            httpx.AsyncClient(trust_env=False) as http,
            http.stream("GET", f"http://{host}:{port}/") as answer,
        ):
            pieces = answer.aiter_bytes()
            assert await anext(pieces) == b"some"
            await server.stop()
            with pytest.raises(httpx.TransportError):  # It is seen not to be whole.
                await anext(pieces)

    asyncio.run(run())
    assert not any(record.exc_info for record in caplog.records)
    assert "Exception in ASGI application" not in caplog.text


def test_it_serves_over_tls_with_a_given_context(tmp_path: Path) -> None:
    authority = CertificateAuthority()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("127.0.0.1").write(tmp_path, "node"))

    async def run() -> None:
        server = WebServer(create_app(LoneNode()), ["127.0.0.1:0"], tls=lambda: context)
        await server.start()
        [(host, port)] = server.addresses
        trust = ssl.create_default_context(cadata=authority.certificate.decode())
        async with httpx.AsyncClient(verify=trust, trust_env=False) as http:
            assert (await http.get(f"https://{host}:{port}/-/healthy")).text == "OK"
        await server.stop()

    asyncio.run(run())


@pytest.mark.parametrize("shown", [True, False])
def test_silences_are_signed_with_the_name_of_a_verified_certificate(tmp_path: Path, shown: bool) -> None:
    authority = CertificateAuthority()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("127.0.0.1").write(tmp_path, "node"))
    context.load_verify_locations(cadata=authority.certificate.decode())
    context.verify_mode = ssl.CERT_OPTIONAL

    async def run() -> None:
        backend = LoneNode()
        app = create_app(backend, limits=Limits(people=PeopleRules("certificate")))
        trust = ssl.create_default_context(cadata=authority.certificate.decode())
        if shown:
            trust.load_cert_chain(*authority.issue("10.0.0.7", name="ana").write(tmp_path, "ana"))
        async with serving(app, tls=lambda: context) as server:
            [(host, port)] = server.addresses
            url = f"https://{host}:{port}/api/v2/silences"
            async with httpx.AsyncClient(verify=trust, trust_env=False) as http:
                times = {
                    "startsAt": format_milliseconds(backend.now()),
                    "endsAt": format_milliseconds(backend.now() + 3600 * SECOND),
                }
                body = silence(matcher("alertname", "A"), createdBy="mallory", **times)
                first = await http.post(url, json=body)
                again = await http.post(url, json=body)  # on the same connection
            assert [first.status_code, again.status_code] == ([200, 200] if shown else [403, 403])
        names = {kept.created_by for kept in backend.silences.query(backend.now())}
        assert names == ({"ana"} if shown else set())

    asyncio.run(run())
