"""Attacks on the datagrams of a cluster over DTLS (``--cluster.transport=dtls``)."""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import time
from collections.abc import Callable, Iterator

from tests.faults.hostile import forge
from tests.faults.hostile.attack import DTLS, Round, attack
from tests.faults.hostile.attacker import CLAIMED, SOURCE, Attacker
from tocsin.gossip.address import Address
from tocsin.gossip.transport.dtls.association import Association, State
from tocsin.gossip.transport.dtls.context import build_client_context
from tocsin.gossip.transport.dtls.envelope import seal_envelope
from tocsin.gossip.transport.dtls.records import ALERT, CHANGE_CIPHER_SPEC, DATA, HANDSHAKE, read_records
from tocsin.gossip.transport.dtls.settings import DTLSTransportConfig
from tocsin.gossip.transport.dtls.verification import no_rule
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.tls.settings import TLSClientConfig

ANY = (DTLS,)
ROUND = 0.25
"""Seconds of a flood in one round."""
RATE = 20_000
"""Datagrams a second, at most."""
BURST = 20
DATAGRAM = 4096
"""Bytes that a node looks at, at most."""
CONFIG = DTLSTransportConfig(tls=TLSTransportConfig(listen_address=Address("127.0.0.1", 0)))
_numbers = itertools.count(random.randrange(1 << 16))


def record(kind: int, epoch: int, body: bytes) -> bytes:
    """One of a number that was not used before."""
    number = next(_numbers) + 1000
    return bytes([kind]) + b"\xfe\xfd" + epoch.to_bytes(2) + number.to_bytes(6) + len(body).to_bytes(2) + body


def full(make: Callable[[], bytes]) -> bytes:
    """A datagram of records, as many as there may be."""
    made: list[bytes] = []
    size = 0
    while size + len(one := make()) <= DATAGRAM:
        made.append(one)
        size += len(one)
    return b"".join(made)


def piece(message: int, number: int, length: int, offset: int, size: int) -> bytes:
    """A record with a part of a message of a handshake."""
    head = bytes([message]) + length.to_bytes(3) + number.to_bytes(2) + offset.to_bytes(3)
    return record(HANDSHAKE, 0, head + size.to_bytes(3) + bytes(size))


class Dialler:
    """A socket, and an association that is dialled with it."""

    def __init__(self, attacker: Attacker, source: str = SOURCE) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((source, 0))
        self.sock.connect((attacker.host, attacker.port))
        self.sock.settimeout(0.5)
        files = attacker.files
        config = TLSClientConfig(
            cert_file=files.certificate if files else None,
            key_file=files.key if files else None,
            insecure_skip_verify=True,
        )
        self.association = Association.dial(CONFIG, build_client_context(config), no_rule, time.monotonic())

    def close(self) -> None:
        self.sock.close()

    def flood(self, datagrams: Iterator[bytes], seconds: float = ROUND) -> None:
        """At most so many a second that the system's buffer holds them: what it drops, no node can help.
        What is refused by the system is left out."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for datagram in itertools.islice(datagrams, BURST):
                with contextlib.suppress(OSError):
                    self.sock.send(datagram)
            time.sleep(BURST / RATE)

    def half(self) -> None:
        """With its cookie, and no further."""
        self._say()
        self._hear()
        self._say()

    def whole(self) -> bool:
        """A handshake; false if it was not answered."""
        with contextlib.suppress(OSError):
            while self.association.state is State.HANDSHAKING:
                self._say()
                self._hear()
        self._say()
        return self.association.state is State.ESTABLISHED

    def sealed(self, packet: bytes) -> bytes:
        self.association.send(seal_envelope(packet, int(CLAIMED.rpartition(":")[2])))
        return b"".join(self.association.drain())

    def _say(self) -> None:
        for datagram in self.association.drain():
            self.sock.send(datagram)

    def _hear(self) -> None:
        for one in read_records(self.sock.recv(65_536)):
            self.association.receive(one, time.monotonic())


def repeated(make: Callable[[], bytes], count: int = 64) -> Iterator[bytes]:
    """Some, again and again: to make each anew is the attacker's work, not the node's."""
    return itertools.cycle([make() for _ in range(count)])


def flood(name: str, *counted: str, certificate: str = "", handshake: str = "") -> Callable[..., Round]:
    """Register what gives the datagrams of a flood; ``handshake``: "half" or "whole" comes first."""

    def register(make: Callable[[Dialler], Iterator[bytes]]) -> Round:
        def round_(attacker: Attacker) -> None:
            dialler = Dialler(attacker)
            with contextlib.closing(dialler):
                if handshake == "half":
                    dialler.half()
                elif handshake and not dialler.whole():
                    return
                dialler.flood(make(dialler))

        return attack(name, *counted, carriers=ANY, certificate=certificate)(round_)

    return register


@flood("datagrams: hellos without a cookie", "transport_dtls_cookies_sent")
def _(dialler: Dialler) -> Iterator[bytes]:
    return itertools.cycle(dialler.association.drain())


@flood("datagrams: records of unknown epochs", "transport_dtls_datagrams_ignored{unknown}")
def _(dialler: Dialler) -> Iterator[bytes]:
    return repeated(lambda: full(lambda: record(DATA, next(_numbers) % 7, b"x")))


@flood("datagrams: no records", "transport_dtls_datagrams_ignored{malformed}")
def _(dialler: Dialler) -> Iterator[bytes]:
    return repeated(lambda: random.randbytes(1000))


@flood(
    "half handshakes: changes of the cipher without end",
    "transport_dtls_handshake_records_refused",
    handshake="half",
)
def _(dialler: Dialler) -> Iterator[bytes]:
    return repeated(lambda: full(lambda: record(CHANGE_CIPHER_SPEC, 0, b"\x01")))


@flood(
    "half handshakes: alerts",
    "transport_dtls_datagrams_ignored{unknown}",
    "transport_refusals{other}",
    "transport_refused_by_peer{other}",
    handshake="half",
)
def _(dialler: Dialler) -> Iterator[bytes]:
    return repeated(lambda: full(lambda: record(ALERT, 0, b"\x01\x00")))


@flood(
    "half handshakes: pieces out of order that overlap",
    "transport_dtls_datagrams_received",
    handshake="half",
)
def _(dialler: Dialler) -> Iterator[bytes]:
    return repeated(lambda: full(lambda: piece(11, 1 + next(_numbers) % 9, 7000, next(_numbers) % 6000, 3)))


@flood("half handshakes: messages of 16 MB", "transport_dtls_handshake_records_refused", handshake="half")
def _(dialler: Dialler) -> Iterator[bytes]:
    return repeated(lambda: full(lambda: piece(11, next(_numbers) % 9, (1 << 24) - 1, 0, 1)))


@flood(
    "half handshakes: records under keys to come",
    "transport_dtls_handshake_records_refused",
    handshake="half",
)
def _(dialler: Dialler) -> Iterator[bytes]:
    return repeated(lambda: full(lambda: record(HANDSHAKE, 1, b"x" * 30)))


@attack(
    "datagrams: hellos from hundreds of addresses",
    "transport_dtls_cookies_sent",
    carriers=ANY,
    certificate="",
)
def _(attacker: Attacker) -> None:
    with contextlib.ExitStack() as stack:
        diallers = [
            stack.enter_context(contextlib.closing(Dialler(attacker, f"127.77.5.{number + 1}")))
            for number in range(200)
        ]
        hello = [dialler.association.drain()[0] for dialler in diallers]
        for dialler, datagram in zip(diallers * 10, hello * 10, strict=True):
            dialler.flood(itertools.repeat(datagram), 0.0005)


@flood(
    "associations: records that were altered",
    "transport_dtls_records_ignored",
    certificate="member",
    handshake="whole",
)
def _(dialler: Dialler) -> Iterator[bytes]:
    return repeated(lambda: full(lambda: record(DATA, 1, b"x" * 25)))


@flood(
    "associations: records played again",
    "transport_dtls_records_ignored",
    certificate="member",
    handshake="whole",
)
def _(dialler: Dialler) -> Iterator[bytes]:
    return itertools.repeat(full(lambda: dialler.sealed(forge.ping(1))))


@flood(
    "associations: handshakes within, under their keys",
    "transport_dtls_datagrams_received",
    certificate="member",
    handshake="whole",
)
def _(dialler: Dialler) -> Iterator[bytes]:
    return repeated(lambda: full(lambda: record(HANDSHAKE, 1, b"x" * 40)))


@flood(
    "associations: a hundred pings in each datagram",
    "gossip_pings_answered",
    certificate="member",
    handshake="whole",
)
def _(dialler: Dialler) -> Iterator[bytes]:
    return iter(lambda: full(lambda: dialler.sealed(forge.ping(1))), None)


@flood(
    "associations: the costliest packets", "gossip_packets_received", certificate="member", handshake="whole"
)
def _(dialler: Dialler) -> Iterator[bytes]:
    costly = forge.heavy_datagram()
    return iter(lambda: full(lambda: dialler.sealed(costly)), None)


@attack(
    "associations: ended as soon as they are made", "transport_dtls_associations_ended{peer}", carriers=ANY
)
def _(attacker: Attacker) -> None:
    for _ in range(20):
        with contextlib.closing(Dialler(attacker)) as dialler:
            dialler.whole()
            dialler.association.close()
            for datagram in dialler.association.drain():
                dialler.sock.send(datagram)
