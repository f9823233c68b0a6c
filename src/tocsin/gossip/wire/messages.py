"""The messages of hashicorp/memberlist as values. No bytes here: see ``codec``.

Field names are written out (``SeqNo`` on the wire is ``sequence_number`` here). ``versions`` is the wire's
six-byte ``Vsn``: protocol min, max, current, delegate min, max, current; empty when absent.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Protocol, TypeAlias

from tocsin.dataclass import dataclass


class MessageType(IntEnum):
    """The first byte of every message."""

    PING = 0
    INDIRECT_PING = 1
    ACK = 2
    SUSPECT = 3
    ALIVE = 4
    DEAD = 5
    PUSH_PULL = 6
    COMPOUND = 7
    USER = 8
    COMPRESS = 9
    ENCRYPT = 10
    NACK = 11
    CHECKSUM = 12
    ERROR = 13
    LABEL = 244


class MemberState(IntEnum):
    """A member's state, numbered as push/pull entries number it."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2
    LEFT = 3


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks ``node`` for an :class:`Ack`. Without source fields the answer goes to the packet's source."""

    sequence_number: int
    node: str = ""
    source_address: bytes = b""
    source_port: int = 0
    source_node: str = ""


@dataclass(frozen=True, slots=True)
class IndirectPing:
    """Asks the receiver to ping ``target:port`` for the sender; ``nack`` asks for a :class:`Nack` too."""

    sequence_number: int
    target: bytes
    port: int
    node: str
    nack: bool = False
    source_address: bytes = b""
    source_port: int = 0
    source_node: str = ""


@dataclass(frozen=True, slots=True)
class Ack:
    """Answers a ping."""

    sequence_number: int
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class Nack:
    """The relay is alive but had no ack from the target in time."""

    sequence_number: int


@dataclass(frozen=True, slots=True)
class Suspect:
    """``accuser`` suspects ``node`` at ``incarnation``."""

    incarnation: int
    node: str
    accuser: str


@dataclass(frozen=True, slots=True)
class Alive:
    """``node`` is alive at ``address:port`` with ``incarnation``."""

    incarnation: int
    node: str
    address: bytes
    port: int
    meta: bytes = b""
    versions: bytes = b""


@dataclass(frozen=True, slots=True)
class Dead:
    """``node`` is dead; it left on purpose when ``accuser`` is its own name."""

    incarnation: int
    node: str
    accuser: str


@dataclass(frozen=True, slots=True)
class NodeState:
    """One member in a push/pull. ``state`` is any integer: only 0 to 3 have a meaning."""

    name: str
    address: bytes
    port: int
    incarnation: int
    state: int
    meta: bytes = b""
    versions: bytes = b""


class Pieces(Protocol):
    """Bytes that are made a piece at a time, while the pieces before are written: for states so large that to
    join them would hold up other work. Both are as of the moment in which this object was made."""

    def __len__(self) -> int:
        """Bytes of all pieces together."""

    def __iter__(self) -> Iterator[bytes]:
        """The pieces."""


@dataclass(frozen=True, slots=True)
class PushPull:
    """The full state of the sender, on a stream. Sent, it may have ``pieces`` instead of ``user_state``;
    received, never."""

    join: bool
    nodes: tuple[NodeState, ...]
    user_state: bytes = b""
    pieces: Pieces | None = None

    @property
    def user_state_bytes(self) -> int:
        """How long the user state is."""
        return len(self.user_state) if self.pieces is None else len(self.pieces)


@dataclass(frozen=True, slots=True)
class User:
    """An application's message."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """The peer of a stream could not read what it was sent."""

    error: str


Message: TypeAlias = (
    Ping | IndirectPing | Ack | Nack | Suspect | Alive | Dead | PushPull | User | ErrorResponse
)
