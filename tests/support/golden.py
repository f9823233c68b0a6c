"""What a golden vector's decoded form means in our own types."""

from __future__ import annotations

import re
from typing import Any

from tocsin.gossip.wire.messages import (
    Ack,
    Alive,
    Dead,
    ErrorResponse,
    IndirectPing,
    Message,
    Nack,
    NodeState,
    Ping,
    PushPull,
    Suspect,
    User,
)


def octets(value: Any) -> bytes:
    """A byte string of the decoded form: ``{"hex": ...}``, or null for nil."""
    return bytes.fromhex(value["hex"]) if value else b""


def leaves(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The innermost messages of a decoded packet, in order."""
    if "inner" in message:
        return leaves(message["inner"])
    if "parts" in message:
        return [leaf for part in message["parts"] for leaf in leaves(part)]
    return [message]


def expected(message: dict[str, Any], raw: bytes) -> Message:
    """The value for one decoded message; ``raw`` is its bytes: the decoded form has payloads only parsed."""
    body = message.get("body", {})
    match message["name"]:
        case "ping":
            return Ping(
                sequence_number=body["SeqNo"],
                node=body["Node"],
                source_address=octets(body.get("SourceAddr")),
                source_port=body.get("SourcePort", 0),
                source_node=body.get("SourceNode", ""),
            )
        case "indirectPing":
            return IndirectPing(
                sequence_number=body["SeqNo"],
                target=octets(body["Target"]),
                port=body["Port"],
                node=body["Node"],
                nack=body["Nack"],
                source_address=octets(body.get("SourceAddr")),
                source_port=body.get("SourcePort", 0),
                source_node=body.get("SourceNode", ""),
            )
        case "ackResp":
            return Ack(body["SeqNo"], octets(body["Payload"]))
        case "nackResp":
            return Nack(body["SeqNo"])
        case "suspect":
            return Suspect(body["Incarnation"], body["Node"], body["From"])
        case "dead":
            return Dead(body["Incarnation"], body["Node"], body["From"])
        case "alive":
            return Alive(
                incarnation=body["Incarnation"],
                node=body["Node"],
                address=octets(body["Addr"]),
                port=body["Port"],
                meta=octets(body["Meta"]),
                versions=octets(body["Vsn"]),
            )
        case "err":
            return ErrorResponse(body["Error"])
        case "user":
            length = message["header"]["UserMsgLen"] if "header" in message else len(raw) - 1
            return User(raw[len(raw) - length :])
        case "pushPull":
            header = message["header"]
            length = header["UserStateLen"]
            return PushPull(
                join=header["Join"],
                nodes=tuple(
                    NodeState(
                        name=node["Name"],
                        address=octets(node["Addr"]),
                        port=node["Port"],
                        incarnation=node["Incarnation"],
                        state=node["State"],
                        meta=octets(node["Meta"]),
                        versions=octets(node["Vsn"]),
                    )
                    for node in message["nodes"]
                ),
                user_state=raw[len(raw) - length :],
            )
        case name:
            raise AssertionError(f"no value for {name}")


_NIL = re.compile(rb"(\xa7Payload|\xa4Meta)\xc0")
_SIGNED = re.compile(rb"(Nodes|UserStateLen|UserMsgLen)(\xd1..|\xd2....)", re.DOTALL)


def normal(data: bytes) -> bytes:
    """``data`` with the two freedoms that encoders have taken out: nil for an empty byte string, and the
    signed forms of go-msgpack v2."""

    def unsigned(found: re.Match[bytes]) -> bytes:
        value = int.from_bytes(found[2][1:], "big")
        for limit, kind, size in ((2**8, b"\xcc", 1), (2**16, b"\xcd", 2), (2**32, b"\xce", 4)):
            if value < limit:
                return found[1] + kind + value.to_bytes(size, "big")
        raise AssertionError(value)

    return _SIGNED.sub(unsigned, _NIL.sub(rb"\1" + b"\xa0", data))
