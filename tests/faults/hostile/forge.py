"""Messages that no honest peer would send."""

from __future__ import annotations

import struct
import time
from functools import cache
from random import Random

import msgpack

from tocsin.alerting.digest import messages as digest
from tocsin.alerting.digest.tree import Tombstone
from tocsin.alerting.intent.codec import Kind, Record
from tocsin.alerting.intent.codec import encode as encode_intents
from tocsin.alerting.protocol import nflog_pb2, silence_pb2
from tocsin.alerting.protocol.delimited import delimit, read_delimited
from tocsin.alerting.protocol.parts import encode_full_state, encode_part
from tocsin.gossip.core.local import VERSIONS
from tocsin.gossip.wire.codec import encode_node
from tocsin.gossip.wire.compound import encode_compound
from tocsin.gossip.wire.messages import NodeState
from tocsin.gossip.wire.packet import compressed

HIGHEST = 2**32 - 1


def pack(kind: int, **fields: object) -> bytes:
    """A message of any fields."""
    return bytes((kind,)) + bytes(msgpack.packb(fields, use_bin_type=False))


def alive(node: str, incarnation: int = 1, **more: object) -> bytes:
    fields: dict[str, object] = {
        "Addr": b"\x7f\x00\x00\x09",
        "Incarnation": incarnation,
        "Meta": b"",
        "Node": node,
        "Port": 9094,
        "Vsn": VERSIONS,
    }
    return pack(4, **{**fields, **more})


def accusation(kind: int, node: str, incarnation: int, accuser: str = "") -> bytes:
    return pack(kind, From=accuser or "attacker", Incarnation=incarnation, Node=node)


def push_pull(nodes: bytes, count: int, state: bytes = b"", announced: int | None = None) -> bytes:
    size = len(state) if announced is None else announced
    return pack(6, Join=False, Nodes=count, UserStateLen=size) + nodes + state


@cache
def many_nodes(count: int) -> bytes:
    """Entries of dead members that nobody knows: each is looked at, none is kept."""
    return b"".join(
        encode_node(NodeState(f"phantom-{n}", b"\x7f\x00\x00\x09", 9094, 1, 2, bytes(64), VERSIONS))
        for n in range(count)
    )


@cache
def bomb(size: int) -> bytes:
    """A compress message that unpacks to ``size`` zero bytes of a user message."""
    return compressed(b"\x08" + bytes(size))


@cache
def stream_bomb(size: int) -> bytes:
    """The same on a stream: a push/pull whose state is zeros."""
    return compressed(push_pull(b"", 0, bytes(size)))


def nested(depth: int) -> bytes:
    packet = b"\x08x"
    for _ in range(depth):
        packet = encode_compound([packet])
    return packet


@cache
def wide() -> bytes:
    """As many messages as a packet of 64 KiB can hold, in compounds of compounds."""
    return encode_compound([encode_compound([b"\x02\x81\xa5SeqNo\x01"] * 200)] * 30)


@cache
def heavy() -> bytes:
    """A packet that costs as much as one may: compressed, thousands of messages that change nothing."""
    return compressed(encode_compound([encode_compound([pack(2, SeqNo=n) for n in range(250)])] * 24))


@cache
def heavy_datagram() -> bytes:
    """The same for a datagram of DTLS."""
    packet = b""
    for count in range(1, 30):
        more = compressed(encode_compound([encode_compound([b"\x02\x81\xa5SeqNo\x01"] * 200)] * count))
        if len(more) > 1340:
            break
        packet = more
    return packet


def user(key: str, data: bytes) -> bytes:
    """A user message in a packet."""
    return b"\x08" + encode_part(key, data)


def user_stream(key: str, data: bytes) -> bytes:
    part = encode_part(key, data)
    return pack(8, UserMsgLen=len(part)) + part


def full_state(**parts: bytes) -> bytes:
    return push_pull(b"", 0, encode_full_state(parts))


def silence(
    identifier: str,
    matchers: list[tuple[int, str, str]],
    *,
    ends: int = 4_000_000_000,
    comment: str = "hostile",
    updated: int = 1_750_000_000,
) -> bytes:
    """One delimited MeshSilence; nothing is checked."""
    mesh = silence_pb2.MeshSilence()
    for kind, name, pattern in matchers:
        mesh.silence.matchers.add(type=kind, name=name, pattern=pattern)
    mesh.silence.id = identifier
    mesh.silence.comment = comment
    mesh.silence.starts_at.seconds = 1_750_000_000
    mesh.silence.ends_at.seconds = ends
    mesh.silence.updated_at.seconds = updated
    mesh.expires_at.seconds = ends
    return delimit(mesh.SerializeToString())


BAD_SILENCES = {
    "no matchers": silence("bad-1", []),
    "a regular expression that does not compile": silence("bad-2", [(1, "a", "(")]),
    "a matcher of no known kind": silence("bad-3", [(77, "a", "b")]),
    "only matchers of nothing": silence("bad-4", [(0, "a", "")]),
    "no id": silence("", [(0, "a", "b")]),
    "an id of 64 KB": silence("x" * 65_000, [(0, "a", "b")]),
    "a program too large": silence("bad-5", [(1, "a", "((a{100}){100}){100}")]),
    "an end after year 9999": silence("bad-6", [(0, "a", "b")], ends=300_000_000_000),
    "more than a megabyte": silence("bad-7", [(0, "a", "b")], comment="x" * (1 << 20)),
}
CATASTROPHIC = silence("slow-1", [(1, "alertname", "(a|a|aa)*$" * 20)], ends=1_900_000_000)
"""Exponential where backtracking is done; here it costs what any other does."""


def log_entries(count: int) -> bytes:
    """Entries without what makes one: group key, receiver."""
    mesh = nflog_pb2.MeshEntry()
    mesh.entry.timestamp.seconds = 1_750_000_000
    mesh.expires_at.seconds = 4_000_000_000
    return delimit(mesh.SerializeToString()) * count


def small_silences(count: int) -> bytes:
    """As many as there may be, each as short as can be, and none acceptable."""
    return silence("x", []) * count


@cache
def expired_state() -> bytes:
    """18 MB of acceptable silences that are over: each is read whole, none is kept."""
    count = (18 << 20) // len(silence("expired-100000", [(0, "a", "b")], ends=1_750_000_100))
    return b"".join(silence(f"expired-{n}", [(0, "a", "b")], ends=1_750_000_100) for n in range(count))


def lies(sender: str) -> list[bytes]:
    """Digests that ask for everything, far in the future, and answers that nobody asked for."""
    random = Random(1)
    leaves = {group: tuple(random.getrandbits(64) for _ in range(64)) for group in range(64)}
    envelope = digest.Envelope(sender, 1, 1 << 40)
    bodies: list[digest.Body] = [
        digest.Summary((digest.StateSummary("sil", 2**32 - 1, 1), digest.StateSummary("nfl", 0, 2))),
        digest.Leaves("sil", 0, True, leaves),
        digest.Content("sil", 4096, (), (), (), b""),
        digest.Transfer("sil", tuple(random.randbytes(16) for _ in range(2000)), (), b""),
        digest.Transferred("sil", 65535, b""),
    ]
    messages = [digest.encode(digest.Message(envelope, body)) for body in bodies]
    return [*messages, b"\x01\x05" + bytes(30), struct.pack(">BBQqH", 1, 1, 0, -(2**63), 65535)]


def crowded_digests(sender: str) -> list[bytes]:
    """Digest messages that are long lists, and answers that nobody asked for."""
    random = Random(1)
    buried = tuple((random.randbytes(16), Tombstone(1, 1)) for _ in range(65_535))
    items = tuple(digest.Item(identity, 1, 1) for identity, _ in buried)
    bodies: list[digest.Body] = [
        digest.Content("nfl", 4096, (), items, buried, b""),
        digest.Transfer("nfl", (), buried, b""),
    ]
    return [digest.encode(digest.Message(digest.Envelope(sender, 1, 1), body)) for body in bodies]


def far_summaries(sender: str, count: int) -> list[bytes]:
    """Questions as of 44 days ahead, every other about one state sixteen times."""
    cutoff = int(time.time()) // 60 + 44 * 24 * 60
    states = tuple(digest.StateSummary("nfl", 0, number) for number in range(16))
    messages = [
        digest.Message(digest.Envelope(sender, number, cutoff), digest.Summary(asked))
        for number in range(count)
        for asked in (states, states[:1])
    ]
    return [digest.encode(message) for message in messages]


def intents(count: int, sender: str = "attacker") -> list[bytes]:
    """Payloads that claim to be sending what others should not."""
    random = Random(count)
    records = [
        Record(Kind.SENDING, 0, 2**32 - 1, 2**64 - 1, random.getrandbits(64), random.randbytes(16))
        for _ in range(count)
    ]
    return list(encode_intents(sender, records))


def acks(count: int) -> list[bytes]:
    return [pack(2, SeqNo=n, Payload=b"x" * 32) for n in range(count)]


def indirect_pings(count: int) -> list[bytes]:
    """Ask to ping addresses where nobody is, thousands of them."""
    return [
        pack(
            1,
            SeqNo=n,
            Target=bytes((127, 1, n >> 8 & 255, n & 255)),
            Port=9,
            Node="nobody",
            Nack=True,
            SourceAddr=b"\x7f\x00\x00\x09",
            SourcePort=9094,
            SourceNode="attacker",
        )
        for n in range(count)
    ]


def ping(number: int, source: bytes = b"\x7f\x00\x00\x09", port: int = 9) -> bytes:
    return pack(0, SeqNo=number, Node="", SourceAddr=source, SourcePort=port, SourceNode="attacker")


@cache
def crowded_silence(what: str, count: int, identifier: str = "crowded") -> bytes:
    """A silence, good but for the number of ``what``: "matcher_sets" and "comments" that are empty,
    "matchers", "matchers of one set", also empty, "sets of one", or "annotations"."""
    mesh = silence_pb2.MeshSilence.FromString(
        bytes(next(read_delimited(silence(identifier, [(0, "a", "b")]))))
    )
    now = int(time.time())
    mesh.silence.ends_at.seconds = mesh.expires_at.seconds = now + 600
    mesh.silence.updated_at.seconds = now
    for number in range(count):
        if what == "annotations":
            mesh.silence.annotations[f"{number:x}"] = ""
        elif what == "sets of one":
            mesh.silence.matcher_sets.add().matchers.add(name="a", pattern="b")
        elif what == "matchers of one set":
            (mesh.silence.matcher_sets or [mesh.silence.matcher_sets.add()])[-1].matchers.add()
        elif what == "matchers":
            mesh.silence.matchers.add(name="a", pattern="b")
        else:
            getattr(mesh.silence, what).add()
    return delimit(mesh.SerializeToString())


@cache
def crowded_log_entry(what: str, count: int, group: str = "crowded") -> bytes:
    """A log entry of now, good but for the number of "firing_alerts" or "receiver_data"."""
    mesh = nflog_pb2.MeshEntry()
    mesh.entry.group_key = group.encode()
    mesh.entry.receiver.group_name = "hostile"
    mesh.entry.receiver.integration = "webhook"
    mesh.entry.timestamp.seconds = int(time.time())
    mesh.expires_at.seconds = mesh.entry.timestamp.seconds + 600
    if what == "receiver_data":
        for number in range(count):
            mesh.entry.receiver_data[f"{number:x}"].int_val = 1
    else:
        mesh.entry.firing_alerts.extend(range(300, 300 + count))
    return delimit(mesh.SerializeToString())
