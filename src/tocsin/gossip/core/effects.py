"""What the core wants done (actions) and what it has to say (events). Plain values."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from enum import Enum
from typing import TypeAlias

from tocsin.dataclass import dataclass
from tocsin.gossip.address import Address
from tocsin.gossip.core.member import Member
from tocsin.gossip.peer import PeerIdentity, account_of


@dataclass(frozen=True, slots=True)
class SendPacket:
    """Send one packet, best effort. ``node`` is the member's name, or empty when it is not known."""

    destination: Address
    node: str
    data: bytes


class ExchangeKind(Enum):
    """Why a stream is opened."""

    PUSH_PULL = "push_pull"
    JOIN = "join"
    PING = "ping"
    USER = "user"


@dataclass(frozen=True, slots=True)
class OpenStream:
    """Open a stream, write each of ``writes`` on its own, and (when ``expects_reply``) read one message.

    The driver reports with ``Endpoint.stream_replied`` (message, or None when no reply is expected and all is
    written) or ``Endpoint.stream_failed``, always exactly one of them, by ``deadline`` (core time, seconds)
    or the later one that it has given to ``Endpoint.stream_progressed``.
    """

    exchange: int
    kind: ExchangeKind
    destination: Address
    node: str
    writes: Iterable[bytes]
    expects_reply: bool
    deadline: float


Action: TypeAlias = SendPacket | OpenStream


@dataclass(frozen=True, slots=True)
class StateRequest:
    """A push/pull needs the application's state.

    Of ours, ``destination`` is where it goes, and ``member`` the name there if it is known. Of a peer's that
    we answer, both are empty and ``received`` is the application's state that it sent.
    """

    join: bool
    member: str = ""
    destination: Address | None = None
    received: bytes = b""


@dataclass(frozen=True, slots=True)
class MemberJoined:
    """A member became alive that was unknown, dead or left. Not emitted for ourselves."""

    member: Member


@dataclass(frozen=True, slots=True)
class MemberUpdated:
    """A live member's meta changed."""

    member: Member


@dataclass(frozen=True, slots=True)
class MemberLeft:
    """A member died or (``member.state`` is LEFT) left on purpose."""

    member: Member


@dataclass(frozen=True, slots=True)
class NameConflict:
    """Another address claims the name of a known member; the claim was dropped."""

    existing: Member
    claimed: Address


@dataclass(frozen=True, slots=True)
class UserMessage:
    """An application message arrived, by packet or reliable stream."""

    payload: bytes
    source: Address
    peer: PeerIdentity | None = None
    """Who sent it, where the transport knows that."""

    @property
    def accounted_peer(self) -> Hashable:
        """The account charged for the work that the message causes: of the peer, where that is known, else of
        its host."""
        return account_of(self.peer or self.source.host)


@dataclass(frozen=True, slots=True)
class RemoteState:
    """A push/pull brought the application's state of ``source``."""

    payload: bytes
    join: bool
    source: Address


@dataclass(frozen=True, slots=True)
class ExchangeFinished:
    """An exchange that the endpoint started is over. ``error`` is empty on success.

    ``conflict``: the address that already has our name, by what the peer says. Then others do not take us as
    a member.
    """

    exchange: int
    kind: ExchangeKind
    destination: Address
    error: str
    conflict: Address | None = None


@dataclass(frozen=True, slots=True)
class PacketsLost:
    """The transport knows that packets to ``destination`` did not arrive; which ones, nobody knows."""

    destination: Address


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """Emitted by the driver: a peer at ``destination`` completed the handshake; the exchange of states
    follows."""

    destination: Address


@dataclass(frozen=True, slots=True)
class ProtocolError:
    """A refused packet, message or merge, for the log. ``reason`` is a metric label."""

    reason: str
    detail: str
    source: Address


Event: TypeAlias = (
    MemberJoined
    | MemberUpdated
    | MemberLeft
    | NameConflict
    | UserMessage
    | RemoteState
    | ExchangeFinished
    | PacketsLost
    | StreamOpened
    | ProtocolError
)
