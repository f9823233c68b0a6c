"""Attacks on one carrier: Alertmanager's framing, or the rules of ``tocsin/1``; a valid certificate."""

from __future__ import annotations

import contextlib
import time

from tests.faults.hostile import forge
from tests.faults.hostile.attack import attack
from tests.faults.hostile.attacker import BROKEN, Attacker, Link
from tocsin.gossip.wire import mux as wire

FRAMING = ("framing",)
TOCSIN = ("tocsin/1",)


@attack("frames: 4 GB announced", "transport_frames_refused", carriers=FRAMING)
def _(attacker: Attacker) -> None:
    for data in (
        b"\xff\xff\xff\xff",
        bytes(4),
        b"\x10\x00\x00\x00" + bytes(16),
        b"\x05\x00\x00\x00\x0a\xff\xff\xff\xff",
    ):
        _provoke(attacker, data)


@attack("frames: garbage inside TLS", "transport_frames_refused", carriers=FRAMING)
def _(attacker: Attacker) -> None:
    _provoke(attacker, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 100)


@attack(
    "frames: half of one, then silence",
    "transport_connections_rejected{first_frame}",
    carriers=FRAMING,
    patient=True,
)
def _(attacker: Attacker) -> None:
    _hold_some(attacker, b"\x00\x10\x00\x00" + bytes(100))


@attack(
    "frames: a byte a second", "transport_connections_rejected{first_frame}", carriers=FRAMING, patient=True
)
def _(attacker: Attacker) -> None:
    _hold_some(attacker, b"\xff")
    time.sleep(0.5)
    for link in attacker.held:
        with contextlib.suppress(*BROKEN):
            if isinstance(link, Link):
                link.raw(b"\x00")


@attack(
    "frames: connections that say nothing",
    "transport_connections_rejected{first_frame}",
    "transport_connections_rejected{host}",
    carriers=FRAMING,
    patient=True,
)
def _(attacker: Attacker) -> None:
    _hold_some(attacker, b"", count=60)


@attack("tocsin/1: a frame past 16 KiB", "transport_mux_errors{frame_size}", carriers=TOCSIN)
def _(attacker: Attacker) -> None:
    _provoke(attacker, b"\x03\x00\xff\xff" + bytes(70_000))


@attack("tocsin/1: a packet past 4 MiB", "transport_mux_errors{packet_size}", carriers=TOCSIN)
def _(attacker: Attacker) -> None:
    _provoke(attacker, wire.encode_frame(wire.PACKET, wire.FLAG_MORE, 0, bytes(16_384)) * 257)


@attack("tocsin/1: more data than the window", "transport_mux_errors{flow_control}", carriers=TOCSIN)
def _(attacker: Attacker) -> None:
    data = (
        wire.encode_frame(wire.OPEN, 0, 1) + wire.encode_frame(wire.DATA, 0, 1, b"\x06" + bytes(16_000)) * 200
    )
    _provoke(attacker, data)


@attack("tocsin/1: a window past its end", "transport_mux_errors{flow_control}", carriers=TOCSIN)
def _(attacker: Attacker) -> None:
    _provoke(attacker, wire.encode_frame(wire.WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 3)


@attack("tocsin/1: 257 streams", "transport_mux_errors{stream_limit}", carriers=TOCSIN)
def _(attacker: Attacker) -> None:
    _provoke(attacker, b"".join(wire.encode_frame(wire.OPEN, 0, 2 * n + 1) for n in range(400)))


@attack(
    "tocsin/1: streams opened and reset",
    "transport_mux_streams_refused{held}",
    "transport_mux_streams_accepted",
    carriers=TOCSIN,
)
def _(attacker: Attacker) -> None:
    frames = [
        wire.encode_frame(wire.OPEN, 0, 2 * n + 1)
        + wire.encode_reason(wire.RESET, 2 * n + 1, wire.MuxCode.NONE)
        for n in range(5000)
    ]
    _provoke(attacker, b"".join(frames))


@attack("tocsin/1: pings, never reading", "transport_mux_errors{control_flood}", carriers=TOCSIN)
def _(attacker: Attacker) -> None:
    link = attacker.link(small_window=True)
    link.sock.settimeout(3.0)
    flood = wire.encode_frame(wire.PING, 0, 0, bytes(8)) * 4000
    with contextlib.suppress(*BROKEN):
        for _ in range(300):
            link.raw(flood)
    link.close()


@attack("tocsin/1: a second HELLO, START out of place", "transport_mux_errors{protocol}", carriers=TOCSIN)
def _(attacker: Attacker) -> None:
    for data in (
        wire.encode_frame(wire.START, 0, 0),
        wire.encode_frame(wire.DATA, 0, 99, b"x"),
        wire.encode_frame(wire.OPEN, 0, 2),
        wire.encode_frame(wire.HELLO, 0, 0, bytes(60)),
    ):
        _provoke(attacker, data)


@attack("tocsin/1: no HELLO", "transport_connections_lost{hello}", carriers=TOCSIN, patient=True)
def _(attacker: Attacker) -> None:
    if len(attacker.held) < 60:
        for _ in range(10):
            attacker.hold(attacker.link(greet=False))


@attack(
    "tocsin/1: half a frame, then silence",
    "transport_connections_lost{heartbeat}",
    carriers=TOCSIN,
    patient=True,
)
def _(attacker: Attacker) -> None:
    _hold_some(attacker, b"\x03\x00\x10")


@attack("tocsin/1: a flood of unknown frames", "transport_mux_frames_ignored", carriers=TOCSIN)
def _(attacker: Attacker) -> None:
    _provoke(attacker, wire.encode_frame(200, 0, 0) * 20_000)


@attack("tocsin/1: reset in the middle of a packet", "transport_handshakes", carriers=TOCSIN)
def _(attacker: Attacker) -> None:
    for _ in range(5):
        link = attacker.link()
        link.raw(wire.encode_frame(wire.PACKET, wire.FLAG_MORE, 0, forge.nested(3)) + b"\x03\x00\x20")
        link.reset()


def _provoke(attacker: Attacker, data: bytes) -> None:
    """Send what ends the connection, and wait until it is ended."""
    with contextlib.suppress(*BROKEN):
        link = attacker.link()
        try:
            link.raw(data)
            link.sock.settimeout(5.0)
            while link.sock.recv(65536):
                pass
        finally:
            link.close()


def _hold_some(attacker: Attacker, data: bytes, count: int = 10) -> None:
    """Some more connections with a few bytes on each, up to a few hundred."""
    if len(attacker.held) < 200:
        with contextlib.suppress(*BROKEN):
            for _ in range(count):
                link = attacker.hold(attacker.link())
                if data:
                    link.raw(data)
