"""What one peer, or one host, may make a node do is bounded in time: it waits, and nothing is lost."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import CertificateAuthority
from tests.support.transports import Recorder, eventually
from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.tls.transport import TLSTransport
from tocsin.gossip.wire.mux import PROTOCOL

AUTHORITY = CertificateAuthority()
CERTIFICATE = AUTHORITY.issue()
MUTUAL = AUTHORITY.cluster_config(CERTIFICATE)


@asynccontextmanager
async def node(**more: Any) -> AsyncIterator[tuple[TLSTransport, Recorder]]:
    config = TLSTransportConfig(listen_address=Address("127.0.0.1", 0), close_timeout=0.5, **more)
    transport, recorder = TLSTransport(config, MUTUAL), Recorder()
    await transport.start(recorder)
    try:
        yield transport, recorder
    finally:
        await transport.close()


async def break_the_rules(folder: Path, address: Address, *, tocsin: bool) -> None:
    """With the certificate of the nodes; until the node ends it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(*CERTIFICATE.write(folder, "node"))
    if tocsin:
        context.set_alpn_protocols([PROTOCOL])
    reader, writer = await asyncio.open_connection(address.host, address.port, ssl=context)
    writer.write(b"\xff" * 100)
    with suppress(OSError):
        await reader.read()
    writer.close()


@pytest.mark.parametrize("offer_alpn", [True, False], ids=["tocsin/1", "framing"])
def test_packets_past_the_share_of_a_peer_wait_and_arrive_in_order(offer_alpn: bool) -> None:
    async def story() -> None:
        async with (
            node(peer_share=0.05, peer_burst=0.00001) as (receiver, recorder),
            node(offer_alpn=offer_alpn) as (sender, _),
        ):
            sent = [b"%d" % number for number in range(300)]
            for data in sent:
                sender.send_packet(receiver.listen_address, data)
            await eventually(lambda: len(recorder.packets) == len(sent), 30.0)
            assert recorder.data == sent
            assert receiver.statistics.throttled["peer"] > 0

    asyncio.run(story())


@pytest.mark.parametrize("offer_alpn", [True, False], ids=["tocsin/1", "framing"])
def test_packets_before_an_orderly_close_arrive_although_they_had_to_wait(offer_alpn: bool) -> None:
    async def story() -> None:
        async with node(peer_share=0.05, peer_burst=0.0001) as (receiver, recorder):
            async with node(offer_alpn=offer_alpn) as (sender, _):
                for number in range(200):
                    sender.send_packet(receiver.listen_address, b"%d" % number)
                await eventually(lambda: recorder.packets)
            await eventually(lambda: len(recorder.packets) == 200, 30.0)

    asyncio.run(story())


@pytest.mark.parametrize("offer_alpn", [True, False], ids=["tocsin/1", "framing"])
def test_whoever_breaks_the_rules_waits_also_on_its_next_connection(tmp_path: Path, offer_alpn: bool) -> None:
    """Else each connection would bring some work that nobody has paid for."""

    async def story() -> None:
        async with (
            node(peer_share=0.01, peer_burst=0.0001) as (receiver, recorder),
            node(offer_alpn=offer_alpn) as (sender, _),
        ):
            await break_the_rules(tmp_path, receiver.listen_address, tocsin=offer_alpn)
            assert receiver.statistics.frames_refused == 1
            before = receiver.statistics.throttled["peer"]
            sender.send_packet(receiver.listen_address, b"first on a new connection")
            await eventually(lambda: receiver.statistics.throttled["peer"] > before)
            assert not recorder.packets
            await eventually(lambda: recorder.data == [b"first on a new connection"], 30.0)

    asyncio.run(story())


def test_handshakes_past_the_share_of_a_host_wait() -> None:
    async def story() -> None:
        async with (
            node(host_share=0.05, host_burst=0.0001, max_host_debt=60.0) as (receiver, recorder),
            node(offer_alpn=False) as (sender, _),
        ):
            streams = [await sender.open_stream(receiver.listen_address, 10.0) for _ in range(3)]
            for stream in streams:
                await stream.write(b"here")
                await recorder.stream()
            assert receiver.statistics.throttled["host"] > 0
            for stream in streams:
                stream.abort()

    asyncio.run(story())


def test_what_comes_behind_a_handshake_that_waited_may_pause_the_reading_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        async with node() as (receiver, _):
            done: list[str] = []
            accepted = receiver.accepted()
            monkeypatch.setattr(accepted, "resume_reading", lambda: done.append("resumed"))
            monkeypatch.setattr(accepted, "_shake_hands", lambda _: done.append("worked"))
            accepted._shake_hands_later(b"")  # type: ignore[attr-defined]
            assert done == ["resumed", "worked"]

    asyncio.run(story())


def test_a_host_that_is_far_behind_is_turned_away() -> None:
    async def story() -> None:
        async with (
            node(host_share=0.01, host_burst=0.0001, max_host_debt=0.0) as (receiver, _),
            node(offer_alpn=False) as (sender, _),
        ):
            for _ in range(3):
                try:
                    (await sender.open_stream(receiver.listen_address, 5.0)).abort()
                except TransportError:
                    break
            await eventually(lambda: receiver.statistics.connections_rejected["host_share"] > 0)

    asyncio.run(story())
