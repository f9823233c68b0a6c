"""Requests through proxies that are really there: HTTP and HTTPS, forwarding and tunnelling, SOCKS5."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpcore
import pytest

from tests.support.certificates import CertificateAuthority
from tests.support.httpreceiver import OK, client, run, served, server_tls
from tocsin.config.httpclient import HTTPClientConfig, TLSClientConfig
from tocsin.notify.integrations import connections, stream
from tocsin.notify.integrations.base import NotifyError
from tocsin.notify.integrations.statistics import ClientStatistics
from tocsin.notify.integrations.tlscontext import TLSContexts
from tocsin.notify.integrations.url import parse

AUTHORITY = CertificateAuthority()
TRUSTING = TLSClientConfig(ca=AUTHORITY.certificate.decode(), server_name="localhost")
NAME = "receiver.invalid"
TCP_OPTIONS = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)


@dataclass
class Proxy:
    """Speaks HTTP, or SOCKS5; leads every tunnel to ``target``."""

    kind: str = "http"
    target: int = 0
    password: bytes = b""
    port: int = 0
    heads: list[str] = field(default_factory=list)
    asked: list[tuple[bytes, int]] = field(default_factory=list)
    given: list[bytes] = field(default_factory=list)
    ended: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.ended.add(task)
        with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            if self.kind == "socks5":
                through = await self._socks(reader, writer)
            else:
                through = await self._http(reader, writer)
            if through:
                await self._lead(reader, writer)
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            if head.startswith("CONNECT "):
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                return True
            writer.write(OK)

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        ways = await reader.readexactly((await reader.readexactly(2))[1])
        if self.password:
            if 2 not in ways:
                writer.write(b"\x05\xff")
                return False
            writer.write(b"\x05\x02")
            name = await reader.readexactly((await reader.readexactly(2))[1])
            given = await reader.readexactly((await reader.readexactly(1))[0])
            self.given.append(name + b":" + given)
            writer.write(b"\x01\x00" if given == self.password else b"\x01\x01")
            if given != self.password:
                return False
        else:
            writer.write(b"\x05\x00")
        kind = (await reader.readexactly(4))[3]
        length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
        host = await reader.readexactly(length)
        self.asked.append((host, int.from_bytes(await reader.readexactly(2), "big")))
        writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")
        return True

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.target)

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError, ssl.SSLError):
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(copy(reader, back), copy(there, writer))


@asynccontextmanager
async def proxying(kind: str = "http", tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    proxy = Proxy(kind)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=tls)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        if proxy.ended:
            await asyncio.wait(proxy.ended)


def test_a_proxy_over_tls_forwards(tmp_path: Path) -> None:
    async def story() -> None:
        async with proxying(tls=server_tls(AUTHORITY, tmp_path)) as proxy:
            config = HTTPClientConfig(
                proxy_url=f"https://me:p%40ss@127.0.0.1:{proxy.port}", tls_config=TRUSTING
            )
            async with client(config) as http:
                assert (await http.get(f"http://{NAME}/x?y")).status == 200
            assert proxy.heads[0].startswith(f"GET http://{NAME}/x?y HTTP/1.1\r\n")
            token = base64.b64encode(b"me:p@ss").decode()
            assert f"proxy-authorization: Basic {token}\r\n".lower() in proxy.heads[0].lower()

    run(story)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_tunnel_leads_to_a_receiver_over_tls(tmp_path: Path, scheme: str) -> None:
    """Its certificates are verified end to end; by ``tls_config`` those of the proxy are, too, as in Go."""

    async def story() -> None:
        tls = server_tls(AUTHORITY, tmp_path)
        async with served(tls) as server, proxying(tls=tls if scheme == "https" else None) as proxy:
            proxy.target = server.port
            config = HTTPClientConfig(
                proxy_url=f"{scheme}://me:pass@127.0.0.1:{proxy.port}",
                proxy_connect_header={"X-P": ("1", "2")},
                tls_config=TRUSTING,
            )
            async with client(config) as http:
                for _ in range(2):
                    assert (await http.post(f"https://{NAME}/a", b"{}")).body == b"ok"
            assert len(proxy.heads) == 1, "the tunnel is kept"
            head = proxy.heads[0]
            assert head.startswith(f"CONNECT {NAME}:443 HTTP/1.1\r\n")
            assert "X-P: 1\r\n" in head
            assert "X-P: 2\r\n" in head
            assert "proxy-authorization: basic " in head.lower()
            assert [request.line for request in server.requests] == ["POST /a HTTP/1.1"] * 2
            assert not {"x-p", "proxy-authorization"} & server.requests[0].headers.keys()

    run(story)


def test_the_users_of_the_proxys_url_count_more_than_its_header(tmp_path: Path) -> None:
    """As in Go."""

    async def story() -> None:
        async with served(server_tls(AUTHORITY, tmp_path)) as server, proxying() as proxy:
            proxy.target = server.port
            config = HTTPClientConfig(
                proxy_url=f"http://me:pass@127.0.0.1:{proxy.port}",
                proxy_connect_header={"proxy-Authorization": ("Basic other",), "X-P": ("1",)},
                tls_config=TRUSTING,
            )
            async with client(config) as http:
                await http.get(f"https://{NAME}/")
            token = base64.b64encode(b"me:pass").decode()
            lines = proxy.heads[0].lower().split("\r\n")
            named = [line for line in lines if line.startswith("proxy-authorization:")]
            assert named == [f"proxy-authorization: basic {token}".lower()]
            assert "x-p: 1" in lines

    run(story)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_receivers_certificate_is_not_the_proxys_fault(tmp_path: Path, scheme: str) -> None:
    async def story() -> None:
        (tmp_path / "others").mkdir()
        others = server_tls(CertificateAuthority("others"), tmp_path / "others")
        tls = server_tls(AUTHORITY, tmp_path) if scheme == "https" else None
        async with served(others) as server, proxying(tls=tls) as proxy:
            proxy.target = server.port
            config = HTTPClientConfig(proxy_url=f"{scheme}://127.0.0.1:{proxy.port}", tls_config=TRUSTING)
            async with client(config) as http:
                with pytest.raises(NotifyError, match='": tls: failed to verify certificate'):
                    await http.get(f"https://{NAME}/")

    run(story)


@pytest.mark.skipif(sys.platform != "linux", reason="not every system has all options")
@pytest.mark.parametrize("way", ["direct", "forward", "tunnel", "socks5"])
def test_the_system_notices_that_the_other_end_is_gone(tmp_path: Path, way: str) -> None:
    """Else a request on a connection that a NAT dropped while it was idle waits until its deadline."""

    async def story() -> None:
        tls = server_tls(AUTHORITY, tmp_path) if way == "tunnel" else None
        async with served(tls) as server, proxying("socks5" if way == "socks5" else "http") as proxy:
            proxy.target = server.port
            by = f"{'socks5' if way == 'socks5' else 'http'}://127.0.0.1:{proxy.port}"
            config = HTTPClientConfig(tls_config=TRUSTING, proxy_url="" if way == "direct" else by)
            statistics = ClientStatistics()
            made = connections.Connections(config, TLSContexts(), statistics=statistics, max_body=1 << 16)
            async with made.use(parse(f"{server.url}/")) as pool:
                request = httpcore.Request("GET", f"{server.url}/", headers=[("Host", "far")])
                async with pool.connections.request(request) as response:
                    await response.aread()
                    used: socket.socket = response.extensions["network_stream"].get_extra_info("socket")
                    assert used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                    found = [used.getsockopt(socket.IPPROTO_TCP, option) for option in TCP_OPTIONS]
                    assert found == [15, 15, 9, 30_000]
            await made.close()

    run(story)


@pytest.mark.parametrize("way", ["direct", "tunnel"])
def test_a_handshake_that_is_never_answered_ends(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After ten seconds, as in Go: an attempt may have an hour."""
    monkeypatch.setattr(stream, "HANDSHAKE_SECONDS", 0.05)
    monkeypatch.setattr(connections, "HANDSHAKE_SECONDS", 0.05)

    async def story() -> None:
        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, proxying() as proxy:
            proxy.target = port
            by = f"http://127.0.0.1:{proxy.port}" if way == "tunnel" else ""
            async with client(HTTPClientConfig(tls_config=TRUSTING, proxy_url=by)) as http:
                with pytest.raises(NotifyError, match=r'": TLS handshake timeout$') as caught:
                    await http.get(f"https://127.0.0.1:{port}/")
                assert caught.value.retry

    run(story)


def test_a_proxy_whose_certificate_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        tls = server_tls(CertificateAuthority("others"), tmp_path)
        async with proxying(tls=tls) as proxy:
            config = HTTPClientConfig(
                proxy_url=f"https://me:pass@127.0.0.1:{proxy.port}", tls_config=TRUSTING
            )
            async with client(config) as http:
                for scheme in ("http", "https"):
                    with pytest.raises(NotifyError, match="proxyconnect: tls: failed to verify certificate"):
                        await http.get(f"{scheme}://{NAME}/")
            assert proxy.heads == []

    run(story)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_socks5_with_a_password(tmp_path: Path, scheme: str) -> None:
    async def story() -> None:
        tls = server_tls(AUTHORITY, tmp_path) if scheme == "https" else None
        async with served(tls) as server, proxying("socks5") as proxy:
            proxy.target, proxy.password = server.port, b"p@ss"
            address = f"127.0.0.1:{proxy.port}"
            good = HTTPClientConfig(proxy_url=f"socks5://me:p%40ss@{address}", tls_config=TRUSTING)
            async with client(good) as http:
                assert (await http.get(f"{scheme}://{NAME}/a")).body == b"ok"
            assert proxy.given == [b"me:p@ss"]
            # The proxy looks the name up, not this machine.
            assert proxy.asked == [(NAME.encode(), 443 if scheme == "https" else 80)]
            for wrong in (f"socks5://me:wrong@{address}", f"socks5://{address}"):
                async with client(HTTPClientConfig(proxy_url=wrong, tls_config=TRUSTING)) as http:
                    with pytest.raises(NotifyError) as caught:
                        await http.get(f"{scheme}://{NAME}/a")
                    assert caught.value.retry
            assert len(server.requests) == 1

    run(story)


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_network_of_no_proxy_is_reached_directly(kind: str) -> None:
    async def story() -> None:
        async with served() as server, proxying(kind) as proxy:
            proxy.target = server.port
            config = HTTPClientConfig(
                proxy_url=f"{kind}://127.0.0.1:{proxy.port}", no_proxy="10.0.0.0/8, 127.0.0.0/8"
            )
            async with client(config) as http:
                assert (await http.get(f"{server.url}/direct")).status == 200
                assert (proxy.heads, proxy.asked) == ([], [])
                assert (await http.get("http://192.0.2.7/x")).status == 200
                assert len(proxy.heads) + len(proxy.asked) == 1
            assert server.requests[0].line == "GET /direct HTTP/1.1"

    run(story)
