"""Attacks on a cluster in clear text (``--cluster.transport=udp``, no keyring): anybody may say anything."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

from tests.faults.hostile import forge
from tests.faults.hostile.attack import CLEAR, attack
from tests.faults.hostile.attacker import BROKEN, Attacker
from tocsin.gossip.wire.compound import encode_compound

ANY = (CLEAR,)
INVENTED = 2000
OF_DATAGRAM = 50


@attack("clear text: LZW bombs", "gossip_packets_refused", carriers=ANY, certificate="")
def _(attacker: Attacker) -> None:
    attacker.datagrams([forge.bomb(1 << 20)] * 20)


@attack(
    "clear text: thirty streams that unpack to 16 MB, each of another address",
    "gossip_driver_streams_waited",
    "gossip_driver_streams_over_memory",
    carriers=ANY,
    certificate="",
)
def _(attacker: Attacker) -> None:
    data = forge.stream_bomb(16 << 20)

    def one(number: int) -> None:
        with contextlib.suppress(*BROKEN), attacker.tcp(source=f"127.77.9.{number + 1}") as sock:
            sock.sendall(data)
            while sock.recv(65_536):
                pass

    with ThreadPoolExecutor(30) as pool:
        list(pool.map(one, range(30)))


@attack(
    "clear text: datagrams that name 2,000 members", "gossip_members_refused", carriers=ANY, certificate=""
)
def _(attacker: Attacker) -> None:
    """There are none of them, at addresses where nobody answers. The last of its kind: they stay for long."""
    for start in range(0, INVENTED, OF_DATAGRAM):
        names = range(start, start + OF_DATAGRAM)
        attacker.datagrams(
            [
                encode_compound(
                    [forge.alive(f"invented-{n}", Addr=bytes((127, 66, n >> 8, n & 255))) for n in names]
                )
            ]
        )
        time.sleep(0.002)
