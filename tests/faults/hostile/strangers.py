"""Attacks of somebody without a valid certificate."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

from tests.faults.hostile.attack import attack
from tests.faults.hostile.attacker import BROKEN, Attacker

ANY = ("framing",)


@attack(
    "no certificate: 500 half-open handshakes",
    "transport_connections_rejected{host}",
    carriers=ANY,
    certificate="",
)
def _(attacker: Attacker) -> None:
    if len(attacker.held) < 500:
        with contextlib.suppress(*BROKEN):
            for _ in range(500):
                attacker.held.append(attacker.tcp())
    time.sleep(0.2)


@attack(
    "no certificate: half-open for long",
    "transport_refusals{timeout}",
    carriers=ANY,
    certificate="",
    patient=True,
)
def _(attacker: Attacker) -> None:
    if len(attacker.held) < 100:
        with contextlib.suppress(*BROKEN):
            for _ in range(50):
                sock = attacker.tcp()
                sock.sendall(b"\x16\x03\x01\x02\x00\x01")
                attacker.held.append(sock)
    time.sleep(0.2)


@attack(
    "no certificate: plain TCP",
    "transport_refusals{not_tls}",
    "transport_refusals{other}",
    carriers=ANY,
    certificate="",
)
def _(attacker: Attacker) -> None:
    for data in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff" * 1000,
        bytes(1000),
        b"\x16\x03\x01\xff\xff" + bytes(70_000),
    ):
        with contextlib.suppress(*BROKEN), attacker.tcp() as sock:
            sock.sendall(data)
            sock.recv(100)


@attack(
    "no certificate: connections as fast as can be",
    "transport_refused_by_peer{closed}",
    carriers=ANY,
    certificate="",
)
def _(attacker: Attacker) -> None:
    for _ in range(200):
        with contextlib.suppress(*BROKEN):
            attacker.tcp().close()


@attack("no certificate: TLS without one", "transport_refusals{no_certificate}", carriers=ANY, certificate="")
def _(attacker: Attacker) -> None:
    _knock(attacker)


@attack(
    "a certificate of another authority",
    "transport_refusals{unknown_authority}",
    carriers=ANY,
    certificate="stranger",
)
def _(attacker: Attacker) -> None:
    _knock(attacker)


@attack("an expired certificate", "transport_refusals{expired}", carriers=ANY, certificate="expired")
def _(attacker: Attacker) -> None:
    _knock(attacker)


@attack(
    "a certificate for servers only",
    "transport_refusals{bad_certificate}",
    carriers=ANY,
    certificate="server-only",
)
def _(attacker: Attacker) -> None:
    _knock(attacker)


@attack(
    "no certificate: handshakes from hundreds of addresses",
    "transport_throttled{strangers}",
    "transport_refusals{unknown_authority}",
    carriers=ANY,
    certificate="stranger",
)
def _(attacker: Attacker) -> None:
    """None of them exceeds its own share; the first counter takes an attacker who is quick enough."""
    context = attacker.context()

    def knock(number: int) -> None:
        with (
            contextlib.suppress(*BROKEN),
            attacker.tcp(source=_address(number)) as plain,
            context.wrap_socket(plain) as sock,
        ):
            sock.settimeout(2.0)
            sock.recv(1)

    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(knock, range(400)):
            pass


@attack(
    "no certificate: half-open handshakes from hundreds of addresses",
    "transport_connections_rejected{handshakes}",
    carriers=ANY,
    certificate="",
)
def _(attacker: Attacker) -> None:
    """They take all places of handshakes that there are, and stay."""
    if len(attacker.held) < 800:
        for number in range(800):
            with contextlib.suppress(*BROKEN):
                attacker.held.append(attacker.tcp(source=_address(number)))
    time.sleep(0.2)


def _address(number: int) -> str:
    return f"127.77.{number // 200}.{number % 200 + 1}"


def _knock(attacker: Attacker) -> None:
    """With TLS 1.3 the refusal comes only with the first read."""
    for _ in range(10):
        with contextlib.suppress(*BROKEN), attacker.tls() as sock:
            sock.sendall(b"\x10\x00\x00\x00")
            sock.recv(1)
