"""Messages to bytes and back: a type byte, then a MessagePack map (wire 1.1 to 1.3).

What differs on streams (push/pull, user messages with a length) is in ``stream``; layers are in ``packet``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tocsin.errors import WireError
from tocsin.gossip.wire.limits import DEFAULT_LIMITS, Limits
from tocsin.gossip.wire.messages import (
    Ack,
    Alive,
    Dead,
    ErrorResponse,
    IndirectPing,
    Message,
    MessageType,
    Nack,
    NodeState,
    Ping,
    PushPull,
    Suspect,
    User,
)
from tocsin.gossip.wire.msgpack import U16, Fields, boolean, octets, pack, text, unpack_fields, unsigned

META_MAXIMUM: Final = 512
_ADDRESS_MAXIMUM: Final = 16
_VERSIONS: Final = 6
_LAYER: Final = "message"


def encode_message(message: Message) -> bytes:
    """One message as packets carry it. The keys stand in byte order, as Go writes them."""
    match message:
        case Alive():
            return b"\x04" + pack(
                {
                    "Addr": message.address,
                    "Incarnation": message.incarnation,
                    "Meta": message.meta,
                    "Node": message.node,
                    "Port": message.port,
                    "Vsn": _versions(message.versions),
                }
            )
        case User():
            return b"\x08" + message.payload
        case Ack():
            return b"\x02" + pack({"Payload": message.payload, "SeqNo": message.sequence_number})
        case Ping():
            fields: dict[str, object] = {"Node": message.node, "SeqNo": message.sequence_number}
            return b"\x00" + pack(_with_source(fields, message))
        case IndirectPing():
            fields = {
                "Nack": message.nack,
                "Node": message.node,
                "Port": message.port,
                "SeqNo": message.sequence_number,
            }
            _with_source(fields, message)
            fields["Target"] = message.target
            return b"\x01" + pack(fields)
        case Suspect() | Dead():
            kind = b"\x03" if isinstance(message, Suspect) else b"\x05"
            return kind + pack(
                {"From": message.accuser, "Incarnation": message.incarnation, "Node": message.node}
            )
        case Nack():
            return b"\x0b" + pack({"SeqNo": message.sequence_number})
        case ErrorResponse():
            return b"\x0d" + pack({"Error": message.error})
        case PushPull():
            return b"".join((encode_push_pull_head(message), *(message.pieces or (message.user_state,))))


def encode_push_pull_head(message: PushPull) -> bytes:
    """Type byte, header map and nodes of a push/pull; the user state follows."""
    header = {"Join": message.join, "Nodes": len(message.nodes), "UserStateLen": message.user_state_bytes}
    return b"".join((b"\x06", pack(header), *map(encode_node, message.nodes)))


def encode_node(node: NodeState) -> bytes:
    """One node's map of a push/pull."""
    return pack(
        {
            "Addr": node.address,
            "Incarnation": node.incarnation,
            "Meta": node.meta,
            "Name": node.name,
            "Port": node.port,
            "State": int(node.state),
            "Vsn": _versions(node.versions),
        }
    )


def decode_message(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Message:
    """One message out of a packet, without layers. :class:`WireError` for what a packet cannot carry.

    Unknown keys and trailing bytes are ignored; missing keys are zero or empty.
    """
    if not data:
        raise WireError(_LAYER, "empty")
    kind = data[0]
    if kind == MessageType.USER:
        return User(data[1:])
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise WireError(_LAYER, f"type {kind} is unknown or not for packets")
    if len(data) > limits.header:
        raise WireError(_LAYER, f"{len(data)} bytes, at most {limits.header} are allowed")
    return decoder(unpack_fields(data[1:], limits), limits)


def decode_node(fields: Fields, limits: Limits) -> NodeState:
    """One node's map of a push/pull."""
    return NodeState(
        name=text(fields, b"Name", limits.text),
        address=octets(fields, b"Addr", _ADDRESS_MAXIMUM),
        port=unsigned(fields, b"Port", U16),
        incarnation=unsigned(fields, b"Incarnation"),
        state=unsigned(fields, b"State"),
        meta=octets(fields, b"Meta", META_MAXIMUM),
        versions=_checked_versions(fields),
    )


def _versions(versions: bytes) -> bytes:
    # One to five bytes crash Go peers (wire 1.3): that must never leave this process.
    if len(versions) != _VERSIONS:
        raise ValueError(f"versions are {_VERSIONS} bytes, not {len(versions)}")
    return versions


def _checked_versions(fields: Fields) -> bytes:
    versions = octets(fields, b"Vsn", _VERSIONS)
    if len(versions) not in (0, _VERSIONS):
        raise WireError(_LAYER, f"Vsn has {len(versions)} bytes instead of {_VERSIONS}")
    return versions


def _with_source(fields: dict[str, object], message: Ping | IndirectPing) -> dict[str, object]:
    """Add the source fields, each left out when it is empty."""
    if message.source_address:
        fields["SourceAddr"] = message.source_address
    if message.source_node:
        fields["SourceNode"] = message.source_node
    if message.source_port:
        fields["SourcePort"] = message.source_port
    return fields


def decode_ping(fields: Fields, limits: Limits) -> Ping:
    """A ping's map; streams carry it too."""
    return Ping(
        sequence_number=unsigned(fields, b"SeqNo"),
        node=text(fields, b"Node", limits.text),
        source_address=octets(fields, b"SourceAddr", _ADDRESS_MAXIMUM),
        source_port=unsigned(fields, b"SourcePort", U16),
        source_node=text(fields, b"SourceNode", limits.text),
    )


def _decode_indirect_ping(fields: Fields, limits: Limits) -> IndirectPing:
    return IndirectPing(
        sequence_number=unsigned(fields, b"SeqNo"),
        target=octets(fields, b"Target", _ADDRESS_MAXIMUM),
        port=unsigned(fields, b"Port", U16),
        node=text(fields, b"Node", limits.text),
        nack=boolean(fields, b"Nack"),
        source_address=octets(fields, b"SourceAddr", _ADDRESS_MAXIMUM),
        source_port=unsigned(fields, b"SourcePort", U16),
        source_node=text(fields, b"SourceNode", limits.text),
    )


def decode_ack(fields: Fields, limits: Limits) -> Ack:
    """An ack's map; streams carry it too."""
    return Ack(unsigned(fields, b"SeqNo"), octets(fields, b"Payload", limits.packet))


def _decode_nack(fields: Fields, limits: Limits) -> Nack:  # noqa: ARG001
    return Nack(unsigned(fields, b"SeqNo"))


def _decode_suspect(fields: Fields, limits: Limits) -> Suspect:
    return Suspect(*_accusation(fields, limits))


def _decode_dead(fields: Fields, limits: Limits) -> Dead:
    return Dead(*_accusation(fields, limits))


def _accusation(fields: Fields, limits: Limits) -> tuple[int, str, str]:
    return (
        unsigned(fields, b"Incarnation"),
        text(fields, b"Node", limits.text),
        text(fields, b"From", limits.text),
    )


def _decode_alive(fields: Fields, limits: Limits) -> Alive:
    return Alive(
        incarnation=unsigned(fields, b"Incarnation"),
        node=text(fields, b"Node", limits.text),
        address=octets(fields, b"Addr", _ADDRESS_MAXIMUM),
        port=unsigned(fields, b"Port", U16),
        meta=octets(fields, b"Meta", META_MAXIMUM),
        versions=_checked_versions(fields),
    )


def decode_error(fields: Fields, limits: Limits) -> ErrorResponse:
    """An error's map; streams only."""
    return ErrorResponse(text(fields, b"Error", limits.error_text))


_DECODERS: Final[dict[int, Callable[[Fields, Limits], Message]]] = {
    MessageType.PING: decode_ping,
    MessageType.INDIRECT_PING: _decode_indirect_ping,
    MessageType.ACK: decode_ack,
    MessageType.SUSPECT: _decode_suspect,
    MessageType.ALIVE: _decode_alive,
    MessageType.DEAD: _decode_dead,
    MessageType.NACK: _decode_nack,
}
