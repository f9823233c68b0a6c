"""Attacks of somebody with a valid certificate, by either carrier: packets and streams."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

from tests.faults.hostile import forge
from tests.faults.hostile.attack import attack
from tests.faults.hostile.attacker import BROKEN, Attacker, Link, Mux
from tocsin.gossip.wire.framing import STREAM_HEADER, encode_packet_frame
from tocsin.gossip.wire.packet import compressed

MANY = 2000
"""Packets of one round of a flood."""

# -- packets


@attack("packets: LZW bombs", "gossip_packets_refused")
def _(attacker: Attacker) -> None:
    attacker.packets([forge.bomb(1 << 20)] * 20)


@attack("packets: compounds nested 200 deep", "gossip_packets_refused")
def _(attacker: Attacker) -> None:
    attacker.packets([forge.nested(200)] * 20)


@attack("packets: arrays that announce millions", "gossip_packets_refused")
def _(attacker: Attacker) -> None:
    attacker.packets([b"\x04\xdd\x00\x40\x00\x00" * 5000, b"\x04\x81\xa4Node\xdb\xff\xff\xff\xff"])


@attack("packets: a name of 64 KB", "gossip_packets_refused")
def _(attacker: Attacker) -> None:
    attacker.packets([forge.alive("x" * size) for size in (1025, 16_000, 65_000)])


@attack("packets: meta of 60 KB", "gossip_packets_refused", "gossip_messages_refused")
def _(attacker: Attacker) -> None:
    attacker.packets([forge.alive("phantom", Meta=bytes(size)) for size in (513, 60_000)])


@attack("packets: short version bytes", "gossip_packets_refused", "gossip_messages_refused")
def _(attacker: Attacker) -> None:
    attacker.packets([forge.alive("phantom", Vsn=bytes(size)) for size in (0, 1, 5)])


@attack("packets: the highest incarnation", "gossip_unrefutable")
def _(attacker: Attacker) -> None:
    for name in ("a", "b", "c", "nobody"):
        attacker.packets([forge.accusation(kind, name, forge.HIGHEST) for kind in (3, 5)] * 50)
        attacker.packets([forge.accusation(5, name, forge.HIGHEST, name), forge.alive(name, forge.HIGHEST)])


@attack("packets: accusations that never end", "gossip_refutations")
def _(attacker: Attacker) -> None:
    first = time.time_ns() // 1_000_000 % 4_000_000_000  # each round goes on where the last one ended
    attacker.packets([forge.accusation(3, "a", first + number) for number in range(500)])


@attack("packets: leaves and deaths in others' names", "gossip_verdicts_put")
def _(attacker: Attacker) -> None:
    """And the name of who is said to have left, claimed at once."""
    first = time.time_ns() // 1_000_000 % 4_000_000_000
    for number in range(0, 60, 3):
        left, dead = forge.accusation(5, "b", first + number, "b"), forge.accusation(5, "c", first + number)
        attacker.packets([left, dead, forge.alive("b", first + number + 1), forge.alive("c", first + number)])


@attack("packets: bad silences from another's address", "gossip_senders_doubted", carriers=("framing",))
def _(attacker: Attacker) -> None:
    """What they bring waits with what that member sends, and takes its places."""
    data = forge.user("sil", forge.small_silences(3000))
    link = attacker.link()
    for address in ("127.0.0.1:9094", attacker.other):
        link.raw(b"".join(encode_packet_frame(data, address) for _ in range(20)))
    link.close()


@attack("packets: another protocol's versions", "gossip_messages_refused")
def _(attacker: Attacker) -> None:
    """Who believes them exchanges states with nobody any more."""
    attacker.packets([forge.alive(name, Vsn=bytes((4, 5, 4, 0, 0, 0))) for name in ("phantom", "z")])


@attack("packets: alive messages in our name", "gossip_name_conflicts", "gossip_refutations")
def _(attacker: Attacker) -> None:
    attacker.packets([forge.alive("a", number * 1000) for number in range(1, 500)])


@attack("packets: acks to what nobody asked", "gossip_packets_received")
def _(attacker: Attacker) -> None:
    attacker.packets(forge.acks(MANY))


@attack("packets: a flood of pings", "gossip_pings_answered")
def _(attacker: Attacker) -> None:
    attacker.packets([forge.ping(number, port=0) for number in range(MANY)])


@attack("packets: a flood of the costliest", "gossip_packets_received")
def _(attacker: Attacker) -> None:
    attacker.packets([forge.heavy()] * 30)


@attack("packets: ping thousands of strangers", "gossip_relays_refused", "gossip_relays")
def _(attacker: Attacker) -> None:
    attacker.packets(forge.indirect_pings(MANY))


@attack("packets: silences that mute everything", "cluster_inbox_refused{sil}")
def _(attacker: Attacker) -> None:
    attacker.packets([forge.user("sil", data) for data in forge.BAD_SILENCES.values() if len(data) < 1 << 18])


@attack("packets: a catastrophic regular expression", "cluster_inbox_received{update}")
def _(attacker: Attacker) -> None:
    attacker.packets([forge.user("sil", forge.CATASTROPHIC)])


@attack("packets: log entries of nothing", "cluster_inbox_refused{nfl}", "cluster_inbox_payloads_refused")
def _(attacker: Attacker) -> None:
    attacker.packets([forge.user("nfl", forge.log_entries(count)) for count in (1, 100, 2000)])


@attack("packets: digests that lie", "anti_entropy_messages_refused")
def _(attacker: Attacker) -> None:
    attacker.packets([forge.user("tcn.digest", data) for data in forge.lies("b") * 10])


@attack("packets: digests as of far ahead", "anti_entropy_messages_refused")
def _(attacker: Attacker) -> None:
    attacker.packets([forge.user("tcn.digest", data) for data in forge.far_summaries("b", 8)])


@attack("packets: a flood of intents", "intent_not_heard")
def _(attacker: Attacker) -> None:
    for number in range(12):
        attacker.packets(
            [forge.user("tcn.intent", data) for data in forge.intents(2000, f"attacker-{number}")]
        )


# -- streams


@attack("streams: 2^40 nodes, 2^62 bytes announced", "gossip_driver_streams_refused")
def _(attacker: Attacker) -> None:
    for data in (
        forge.push_pull(b"", 1 << 40),
        forge.push_pull(b"", 0, announced=1 << 62),
        forge.pack(8, UserMsgLen=1 << 62),
        compressed(forge.push_pull(b"", 0, announced=1 << 62)),
        b"\x0a\xff\xff\xff\xff",
        b"\x09\x82\xa4Algo\x00\xa3Buf\xc6\xff\xff\xff\xff",
    ):
        with contextlib.suppress(*BROKEN):
            attacker.stream(data)


@attack("streams: LZW bombs", "cluster_inbox_payloads_refused", "gossip_driver_streams_refused")
def _(attacker: Attacker) -> None:
    with contextlib.suppress(*BROKEN):
        attacker.stream(forge.stream_bomb(16 << 20), answer=20.0)


@attack(
    "streams: thirty that unpack to 16 MB",
    "gossip_driver_streams_waited",
    "gossip_driver_streams_over_memory",
)
def _(attacker: Attacker) -> None:
    data = forge.stream_bomb(16 << 20)

    def one(_: int) -> None:
        with contextlib.suppress(*BROKEN):
            attacker.stream(data)

    with ThreadPoolExecutor(30) as pool:
        list(pool.map(one, range(30)))


@attack("streams: a push/pull of 32,768 nodes", "gossip_push_pulls_answered")
def _(attacker: Attacker) -> None:
    attacker.stream(forge.push_pull(forge.many_nodes(32_768), 32_768), answer=20.0)


@attack("streams: 20 MB of state, all bad", "cluster_inbox_refused{sil}")
def _(attacker: Attacker) -> None:
    entries = forge.small_silences((18 << 20) // len(forge.small_silences(1)))
    attacker.stream(forge.full_state(sil=entries), answer=20.0)


@attack("streams: 20 MB of state, all expired", "cluster_inbox_received{full_state}")
def _(attacker: Attacker) -> None:
    attacker.stream(forge.full_state(sil=forge.expired_state()), answer=20.0)


@attack("streams: a silence of more than a megabyte", "cluster_inbox_refused{sil}")
def _(attacker: Attacker) -> None:
    attacker.stream(forge.user_stream("sil", forge.BAD_SILENCES["more than a megabyte"]))


@attack("streams: silences crowded with small things", "cluster_inbox_refused{sil}")
def _(attacker: Attacker) -> None:
    kinds = (
        ("matcher_sets", 300_000),
        ("sets of one", 60_000),
        ("matchers", 60_000),
        ("annotations", 80_000),
    )
    attacker.stream(forge.user_stream("sil", b"".join([forge.crowded_silence(*each) for each in kinds * 3])))


@attack("streams: log entries crowded with small things", "cluster_inbox_refused{nfl}")
def _(attacker: Attacker) -> None:
    """Those of 120,000 alerts are good: of them only the memory is bounded."""
    good = b"".join([forge.crowded_log_entry("firing_alerts", 120_000, f"crowded {n}") for n in range(8)])
    bad = forge.crowded_log_entry("firing_alerts", 300_000) + forge.crowded_log_entry("receiver_data", 80_000)
    attacker.stream(forge.user_stream("nfl", bad * 3 + good))


@attack("streams: a flood of push/pulls", "gossip_push_pulls_answered")
def _(attacker: Attacker) -> None:
    link = attacker.link()
    for _ in range(50):
        link.stream(forge.full_state(sil=b"", nfl=b""), answer=5.0)
        if not isinstance(link, Mux):
            link.close()
            link = attacker.link()
    link.close()


@attack(
    "streams: 300 of them, and silence",
    "gossip_driver_streams_rejected",
    "transport_mux_errors{stream_limit}",
)
def _(attacker: Attacker) -> None:
    with contextlib.suppress(*BROKEN):
        if attacker.carrier == "framing":
            _many_at_once(attacker, 100)
            return
        mux = attacker.mux()
        attacker.hold(mux)
        for number in range(300):
            mux.raw(bytes((4, 0, 0, 0)) + (2 * number + 1).to_bytes(4, "big"))
            if number % 50 == 0:
                time.sleep(0.05)


def _many_at_once(attacker: Attacker, count: int) -> None:
    """Connections that turn into streams when all of them stand: the first streams may not wait for the last
    handshakes, which take as long as the node lets them."""
    while len(attacker.held) > 300 - count:
        attacker.held.pop(0).close()
    idle = [link for link in attacker.held if isinstance(link, Link) and not link.progress]
    while len(idle) < count:
        link = attacker.hold(attacker.link())
        link.packets(forge.acks(1))  # It may be idle for long after a packet.
        idle.append(link)
    for link in idle:
        link.progress = 1
        with contextlib.suppress(*BROKEN):
            link.raw(STREAM_HEADER)


@attack("streams: half a push/pull, then silence", "gossip_driver_streams_broken", patient=True)
def _(attacker: Attacker) -> None:
    if len(attacker.held) < 50:
        for _ in range(10):
            _begin(attacker, forge.push_pull(forge.many_nodes(100), 1000))


@attack("streams: a byte a second", "gossip_driver_streams_broken", patient=True)
def _(attacker: Attacker) -> None:
    data = forge.push_pull(forge.many_nodes(10), 1000)
    if len(attacker.held) < 20:
        for _ in range(10):
            _begin(attacker, data[:1])
    time.sleep(0.5)
    for link in attacker.held:
        if isinstance(link, Link):
            link.progress += 1
            with contextlib.suppress(*BROKEN):
                _go_on(link, data[link.progress : link.progress + 1])


@attack("streams: reset in the middle", "gossip_driver_streams_broken")
def _(attacker: Attacker) -> None:
    for _ in range(5):
        _begin(attacker, forge.push_pull(forge.many_nodes(100), 1000))
    time.sleep(0.2)
    for link in attacker.held:
        if isinstance(link, Link):
            link.reset()
    attacker.held.clear()


@attack(
    "streams: 16 MB of each of many, kept back",
    "gossip_driver_streams_broken",
    "gossip_driver_streams_rejected",
)
def _(attacker: Attacker) -> None:
    """Whole states, but for the last byte: what is held together must be bounded."""
    if len(attacker.held) >= 40:
        time.sleep(0.5)
        return
    with contextlib.suppress(*BROKEN):
        data = forge.push_pull(b"", 0, bytes(16 << 20))[:-1]
        _begin(attacker, data)


@attack("streams: never reading the answer", "gossip_streams_received")
def _(attacker: Attacker) -> None:
    if len(attacker.held) >= 100:
        time.sleep(0.5)
        return
    with contextlib.suppress(*BROKEN):
        link = attacker.hold(attacker.link(small_window=True))
        if isinstance(link, Mux):
            for _ in range(20):
                stream = link.open()
                link.session.write(stream, forge.full_state(sil=b"", nfl=b""))
            link.flush()
        else:
            link.raw(STREAM_HEADER)
            link.raw(forge.full_state(sil=b"", nfl=b""))


@attack("streams: digests that are long lists", "anti_entropy_messages_refused")
def _(attacker: Attacker) -> None:
    for data in forge.crowded_digests("b"):
        attacker.stream(forge.user_stream("tcn.digest", data), answer=2.0)


@attack("streams: of no known kind", "gossip_driver_streams_refused")
def _(attacker: Attacker) -> None:
    for data in (b"\xff" * 100, b"\x04garbage", b"\x06\x93\x01\x02\x03", b"\x0d\xc1"):
        with contextlib.suppress(*BROKEN):
            attacker.stream(data, answer=2.0)


def _go_on(link: Link, data: bytes) -> None:
    if not isinstance(link, Mux):
        link.raw(data)
    elif (stream := link.session.stream(1)) is not None:
        link.session.write(stream, data)
        link.flush()


def _begin(attacker: Attacker, data: bytes) -> None:
    """A stream that is not ended."""
    link = attacker.hold(attacker.link())
    if isinstance(link, Mux):
        stream = link.open()
        link.session.write(stream, data)
        link.pump(lambda: not stream.outgoing_bytes, 5.0)
        link.flush()
    else:
        link.raw(STREAM_HEADER)
        link.raw(data)
