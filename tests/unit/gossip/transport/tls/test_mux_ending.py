"""The end of a ``tocsin/1`` connection whose peer left much behind to be read."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from tests.support.mux import GREETING, Pair
from tests.support.transports import Recorder, eventually
from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.mux.settings import MuxConfig
from tocsin.gossip.transport.scheduler import FairScheduler
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.tls.connection import TLSConnection
from tocsin.gossip.transport.tls.mux_connection import MuxConnection
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.wire.mux import Hello


class Wire:
    """In the place of a TLS connection: remembers what is asked of it."""

    remote = Address("127.0.0.1", 40_000)
    peer = PeerIdentity("certificate", frozenset(), "127.0.0.1")
    tcp_socket = None
    writable = True

    def __init__(self) -> None:
        self.closing = False

    def hand_over(self, owner: object) -> None: ...

    def write(self, data: bytes) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def abort(self) -> None:
        self.closing = True

    def start_close(self, linger: float | None = None) -> None:
        self.closing = True


class Owner:
    """Accepts the connection, and is told of its end."""

    def __init__(self) -> None:
        self.ended: list[object] = []

    def mux_hello(self, mux: MuxConnection, hello: Hello) -> None:
        mux.session.send_hello(sequence=1, **GREETING)
        mux.start()

    def mux_started(self, mux: MuxConnection) -> None: ...

    def mux_going(self, mux: MuxConnection) -> None: ...

    def mux_ended(self, mux: MuxConnection, error: object) -> None:
        self.ended.append(error)


@pytest.mark.parametrize("error", [None, TransportError("the network broke")], ids=["orderly", "broken"])
def test_what_came_before_the_end_is_read_in_turns_and_then_it_is_over(error: TransportError | None) -> None:
    async def story() -> None:
        wire, owner, recorder = Wire(), Owner(), Recorder()
        mux = MuxConnection(
            cast("TLSConnection", wire),
            owner,
            TLSTransportConfig(listen_address=Address("127.0.0.1", 0)),
            MuxConfig(),
            recorder,
            TransportStatistics(),
            sequence=1,
            destination=None,
            scheduler=FairScheduler(1.0, 60.0),
        )
        connection: Any = wire
        pair = Pair(greet=False)
        pair.near.session.send_hello(sequence=1, **GREETING)
        mux.connection_received(connection, pair.near.session.data_to_send(64 * 1024))
        pair.near.receive(mux.session.data_to_send(64 * 1024), 0.0)
        sent = [b"%d" % number for number in range(1000)]
        for packet in sent:
            pair.near.session.send_packet(packet)
        mux.connection_received(connection, b"".join(iter(pair.near.session.data_to_send, b"")))
        mux.connection_ended(connection, error)
        at_once = mux.session.config.frames_at_once
        assert len(recorder.packets) <= at_once
        assert not mux.usable
        assert not owner.ended
        with pytest.raises(TransportError):
            mux.open_stream(Address("127.0.0.1", 1))
        before = len(recorder.packets)
        await asyncio.sleep(0)
        assert len(recorder.packets) - before <= at_once
        await eventually(lambda: owner.ended)
        assert recorder.data == sent
        assert owner.ended == [error]
        assert wire.closing == (error is None)

    asyncio.run(story())
