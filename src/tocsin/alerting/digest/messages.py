"""The messages of an exchange, as ``docs/anti-entropy.md`` has them byte by byte. Integers are big endian."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from operator import ge
from typing import Final, NamedTuple, TypeAlias, TypeVar

from tocsin.alerting.digest.tree import GROUPS, HASH_BYTES, LEAVES, LEAVES_IN_GROUP, Tombstone
from tocsin.alerting.steps import Steps, finish
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass
from tocsin.errors import StateError

VERSION: Final = 1
DEFLATED: Final = 2
"""In place of the version: the message follows compressed."""
MAX_MESSAGE_BYTES: Final = 16 << 20
MAX_DEFLATED_BYTES: Final = 512 * 1024
"""Of a message that is compressed: it is expanded in one go, which takes some milliseconds at this size."""
DEFLATED_IN_STEP: Final = 64 * 1024
"""Of a message that is being compressed."""
MAX_INFLATION: Final = 8
"""Times its compressed size; entries come to three or four. zlib packs zeros 1,000 to 1, so that a packet of
some kilobytes would hold the event loop for seconds."""
MAX_STATES: Final = 16
MAX_ITEMS: Final = 4_096
"""Of items, wants and tombstones, each; no more than about half are sent. They are read in one go, which
takes some milliseconds."""
MAX_NAME_BYTES: Final = 512
MAX_KEY_BYTES: Final = 64

_SHORT: Final = 8
"""Bytes of a hash where only one pair of digests is compared."""
_INSTANT: Final = 12
_ITEM: Final = struct.Struct(f">{HASH_BYTES}siQQ")
_TOMBSTONE: Final = struct.Struct(f">{HASH_BYTES}siQiQ")
"""A time of 96 bits is read as its upper 32 and its lower 64."""
_SHORT_MASK: Final = (1 << 64) - 1


def short(digest: int) -> int:
    """A digest as the lists hold it: the low 64 bits."""
    return digest & _SHORT_MASK


class Item(NamedTuple):
    """An entry that the sender holds; ``version`` shortened."""

    identity: bytes
    stamp: Nanoseconds
    version: int


@dataclass(frozen=True, slots=True)
class Envelope:
    """What begins every message. ``sender`` is the member's name; ``exchange`` is chosen by who asks."""

    sender: str
    exchange: int
    cutoff: int


class StateSummary(NamedTuple):
    """One state as a whole."""

    key: str
    size: int
    root: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Asks: is yours the same?"""

    states: tuple[StateSummary, ...]


@dataclass(frozen=True, slots=True)
class Same:
    """Answers a summary: yes, all of it."""


@dataclass(frozen=True, slots=True)
class Later:
    """Answers a summary: my clock is ahead, compare at the cutoff of this envelope."""


class StateGroups(NamedTuple):
    """The digests of one state's groups, shortened."""

    key: str
    size: int
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Groups:
    """Answers a summary: these states differ."""

    states: tuple[StateGroups, ...]


@dataclass(frozen=True, slots=True)
class Leaves:
    """Asks what differs in the groups of ``digests``, from leaf ``first`` on.

    ``whole``: of leaves that are empty here, send the entries and do not list them.
    """

    key: str
    first: int
    whole: bool
    digests: dict[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Content:
    """Answers leaves: all that is in the differing leaves from the asked one up to, not with, ``next_leaf``.

    ``listed`` are leaves whose content is among the items (there may be none); ``tombstones`` are those of
    all leaves that were sent; ``entries`` are delimited, of leaves that were asked for whole.
    """

    key: str
    next_leaf: int
    listed: tuple[int, ...]
    items: tuple[Item, ...]
    tombstones: tuple[tuple[bytes, Tombstone], ...]
    entries: bytes


@dataclass(frozen=True, slots=True)
class Transfer:
    """Gives entries and tombstones, and asks for the entries ``wants``."""

    key: str
    wants: tuple[bytes, ...]
    tombstones: tuple[tuple[bytes, Tombstone], ...]
    entries: bytes


@dataclass(frozen=True, slots=True)
class Transferred:
    """Answers a transfer, once its entries are merged: of the wants the first ``covered`` are dealt with."""

    key: str
    covered: int
    entries: bytes


_State = TypeVar("_State", StateSummary, StateGroups)
Body: TypeAlias = Summary | Same | Later | Groups | Leaves | Content | Transfer | Transferred


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    envelope: Envelope
    body: Body


# -- writing


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    return struct.pack(">H", len(data)) + data


def _instant(instant: Nanoseconds) -> bytes:
    return instant.to_bytes(_INSTANT, "big", signed=True)


def _shorts(digests: Sequence[int]) -> bytes:
    return struct.pack(f">{len(digests)}Q", *digests)


def _tombstones(tombstones: Sequence[tuple[bytes, Tombstone]]) -> bytes:
    packed = [i + _instant(tombstone.stamp) + _instant(tombstone.until) for i, tombstone in tombstones]
    return struct.pack(">H", len(packed)) + b"".join(packed)


def _blob(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def encode(message: Message) -> bytes:
    """The bytes of a message."""
    envelope, body = message.envelope, message.body
    kind = KINDS.index(type(body)) + 1
    head = struct.pack(">BBQq", VERSION, kind, envelope.exchange, envelope.cutoff)
    return b"".join([head, _text(envelope.sender), *_encode_body(body)])


def deflate(message: bytes) -> bytes:
    """:func:`deflating` at once."""
    return finish(deflating(message))


def deflating(message: bytes) -> Steps[bytes]:
    """An encoded message, compressed if that makes it smaller, but not by more than is taken; in steps of a
    millisecond or two."""
    if len(message) > MAX_DEFLATED_BYTES:
        return message
    deflater = zlib.compressobj(1)
    pieces = [bytes((DEFLATED,))]
    for start in range(0, len(message), DEFLATED_IN_STEP):
        if start:
            yield
        pieces.append(deflater.compress(message[start : start + DEFLATED_IN_STEP]))
    packed = b"".join([*pieces, deflater.flush()])
    return packed if len(packed) < len(message) <= MAX_INFLATION * len(packed) else message


def _inflate(packed: bytes) -> bytes:
    most = min(MAX_DEFLATED_BYTES, MAX_INFLATION * (len(packed) + 1))
    inflating = zlib.decompressobj()
    try:
        message = inflating.decompress(packed, most + 1)
    except zlib.error:
        raise StateError("a compressed digest message does not decode") from None
    if len(message) > most or not inflating.eof or inflating.unused_data:
        raise StateError("a compressed digest message is cut, too long or followed by something")
    return message


def _encode_body(body: Body) -> list[bytes]:
    match body:
        case Summary(states):
            packed = [
                _text(state.key) + struct.pack(">I", state.size) + state.root.to_bytes(HASH_BYTES, "big")
                for state in states
            ]
            return [struct.pack(">B", len(states)), *packed]
        case Groups(states):
            listed = [
                _text(state.key) + struct.pack(">I", state.size) + _shorts(state.groups) for state in states
            ]
            return [struct.pack(">B", len(states)), *listed]
        case Leaves(key, first, whole, digests):
            bitmap = sum(1 << group for group in digests)
            head = struct.pack(">HBQ", first, whole, bitmap)
            return [_text(key), head, *(_shorts(digests[group]) for group in sorted(digests))]
        case Content(key, next_leaf, listed_leaves, items, tombstones, entries):
            count = len(listed_leaves)
            return [
                _text(key),
                struct.pack(f">HH{count}H", next_leaf, count, *listed_leaves),
                struct.pack(">H", len(items)),
                *(i.identity + _instant(i.stamp) + i.version.to_bytes(_SHORT, "big") for i in items),
                _tombstones(tombstones),
                _blob(entries),
            ]
        case Transfer(key, wants, tombstones, entries):
            return [
                _text(key),
                struct.pack(">H", len(wants)),
                *wants,
                _tombstones(tombstones),
                _blob(entries),
            ]
        case Transferred(key, covered, entries):
            return [_text(key), struct.pack(">H", covered), _blob(entries)]
        case _:
            return []


# -- reading


class _Reader:
    """Takes fields off the front. Whatever is missing is a StateError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._data):
            raise StateError(f"a digest message is cut at byte {len(self._data)}")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def signed(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big", signed=True)

    def text(self, longest: int) -> str:
        size = self.number(2)
        if size > longest:
            raise StateError(f"a name of {size} bytes in a digest message, the limit is {longest}")
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            raise StateError("a name in a digest message is not UTF-8") from None

    def key(self) -> str:
        return self.text(MAX_KEY_BYTES)

    def states(self) -> range:
        count = self.number(1)
        if count > MAX_STATES:
            raise StateError(f"{count} states in a digest message, the limit is {MAX_STATES}")
        return range(count)

    def shorts(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f">{count}Q", self.take(_SHORT * count))

    def leaf(self, highest: int = LEAVES - 1) -> int:
        leaf = self.number(2)
        if leaf > highest:
            raise StateError(f"leaf {leaf} in a digest message")
        return leaf

    def leaves(self) -> tuple[int, ...]:
        count = self.number(2)
        leaves: tuple[int, ...] = struct.unpack(f">{count}H", self.take(2 * count))
        if leaves and (leaves[-1] >= LEAVES or any(map(ge, leaves, leaves[1:]))):
            raise StateError("leaves in a digest message that do not ascend, or that there are not")
        return leaves

    def _count(self) -> int:
        count = self.number(2)
        if count > MAX_ITEMS:
            raise StateError(f"{count} entries listed in a digest message, the limit is {MAX_ITEMS}")
        return count

    def identities(self) -> tuple[bytes, ...]:
        packed = self.take(HASH_BYTES * self._count())
        return tuple([packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)])

    def items(self) -> tuple[Item, ...]:
        packed = self.take(_ITEM.size * self._count())
        return tuple(
            [
                Item(identity, high << 64 | low, version)
                for identity, high, low, version in _ITEM.iter_unpack(packed)
            ]
        )

    def tombstones(self) -> tuple[tuple[bytes, Tombstone], ...]:
        packed = self.take(_TOMBSTONE.size * self._count())
        return tuple(
            [
                (identity, Tombstone(high << 64 | low, until << 64 | rest))
                for identity, high, low, until, rest in _TOMBSTONE.iter_unpack(packed)
            ]
        )

    def blob(self) -> bytes:
        return self.take(self.number(4))

    def end(self) -> None:
        if self._position != len(self._data):
            raise StateError(f"{len(self._data) - self._position} bytes after a digest message")


def _each_once(states: Sequence[_State]) -> tuple[_State, ...]:
    if len({state.key for state in states}) < len(states):
        raise StateError("a state that is in a digest message twice")
    return tuple(states)


def _read_summary(read: _Reader) -> Summary:
    return Summary(
        _each_once([StateSummary(read.key(), read.number(4), read.number(HASH_BYTES)) for _ in read.states()])
    )


def _read_groups(read: _Reader) -> Groups:
    return Groups(
        _each_once([StateGroups(read.key(), read.number(4), read.shorts(GROUPS)) for _ in read.states()])
    )


def _read_leaves(read: _Reader) -> Leaves:
    key, first, whole, bitmap = read.key(), read.leaf(), bool(read.number(1)), read.number(8)
    wanted = [group for group in range(GROUPS) if bitmap >> group & 1]
    return Leaves(key, first, whole, {group: read.shorts(LEAVES_IN_GROUP) for group in wanted})


def _read_content(read: _Reader) -> Content:
    key, next_leaf = read.key(), read.leaf(LEAVES)
    return Content(key, next_leaf, read.leaves(), read.items(), read.tombstones(), read.blob())


def _read_transfer(read: _Reader) -> Transfer:
    key = read.key()
    return Transfer(key, read.identities(), read.tombstones(), read.blob())


def _read_transferred(read: _Reader) -> Transferred:
    return Transferred(read.key(), read.number(2), read.blob())


KINDS: Final = (Summary, Same, Later, Groups, Leaves, Content, Transfer, Transferred)
"""The kind's number is its position here, counted from 1."""

_READERS: Final[tuple[Callable[[_Reader], Body], ...]] = (
    _read_summary,
    lambda _: Same(),
    lambda _: Later(),
    _read_groups,
    _read_leaves,
    _read_content,
    _read_transfer,
    _read_transferred,
)


def decode(data: bytes) -> Message:
    """The message. Raises StateError on bytes that are not exactly one, or that pass a bound."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise StateError(f"a digest message of {len(data)} bytes, the limit is {MAX_MESSAGE_BYTES}")
    if data[:1] == bytes((DEFLATED,)):
        data = _inflate(data[1:])
    read = _Reader(data)
    version, kind = read.number(1), read.number(1)
    if version != VERSION:
        raise StateError(f"a digest message of version {version}")
    if not 1 <= kind <= len(KINDS):
        raise StateError(f"a digest message of kind {kind}")
    exchange, cutoff = read.number(8), read.signed(8)
    sender = read.text(MAX_NAME_BYTES)
    body = _READERS[kind - 1](read)
    read.end()
    return Message(Envelope(sender, exchange, cutoff), body)
