"""What requests, answers and replicated states look like in the application's messages and states.

memberlist carries the application's bytes and reads none of them. Members that use these services put this in
front: four bytes that identify an envelope, one for the kind, eight of an identifier (of a request; else
zero), one for the length of a name, and the name. A push/pull's state is a row of parts: length of the name
(one byte), name, length of the content (four bytes, big endian), content.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from tocsin.dataclass import dataclass
from tocsin.errors import UserError, WireError

MAGIC: Final = b"\xf5TG1"
IDENTIFIER: Final = 8
MAX_NAME: Final = 255
MAX_STATES: Final = 64
"""Parts of one state."""
_HEAD: Final = struct.Struct(">4sB8sB")
_LENGTH: Final = struct.Struct(">I")
_LAYER: Final = "envelope"


class EnvelopeKind(IntEnum):
    """What is in it."""

    REQUEST = 1
    """``name`` is who asks."""
    ANSWER = 2
    REFUSAL = 3
    """An error instead of an answer, with its text."""
    CHANGE = 4
    """Of the replicated state ``name``."""
    STATES = 5
    """All replicated states, in a push/pull."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message of a service."""

    kind: EnvelopeKind
    payload: bytes
    name: str = ""
    identifier: bytes = bytes(IDENTIFIER)


def encode_envelope(envelope: Envelope) -> bytes:
    """Its bytes; :class:`~tocsin.errors.UserError` for a name that is too long."""
    name = _name(envelope.name)
    return _HEAD.pack(MAGIC, envelope.kind, envelope.identifier, len(name)) + name + envelope.payload


def decode_envelope(data: bytes) -> Envelope | None:
    """None if ``data`` does not begin as one; :class:`~tocsin.errors.WireError` for a bad one."""
    if not data.startswith(MAGIC):
        return None
    if len(data) < _HEAD.size:
        raise WireError(_LAYER, "cut")
    _, kind, identifier, length = _HEAD.unpack_from(data)
    end = _HEAD.size + length
    if len(data) < end:
        raise WireError(_LAYER, "cut in the name")
    try:
        return Envelope(EnvelopeKind(kind), data[end:], data[_HEAD.size : end].decode(), identifier)
    except ValueError:  # what is not UTF-8 too
        raise WireError(_LAYER, f"unknown kind {kind}, or a bad name") from None


def encode_states(states: Mapping[str, bytes]) -> bytes:
    """All states, as one envelope."""
    parts = []
    for key, content in states.items():
        name = _name(key)
        parts += [bytes((len(name),)), name, _LENGTH.pack(len(content)), content]
    return encode_envelope(Envelope(EnvelopeKind.STATES, b"".join(parts)))


def decode_states(payload: bytes) -> dict[str, bytes]:
    """The states in an envelope's payload; :class:`~tocsin.errors.WireError` for bad ones."""
    found: dict[str, bytes] = {}
    position = 0
    while position < len(payload):
        start = position + 1 + payload[position]
        content = start + _LENGTH.size
        if content > len(payload) or len(found) >= MAX_STATES:
            raise WireError(_LAYER, "a cut state, or too many")
        (length,) = _LENGTH.unpack_from(payload, start)
        end = content + length
        if end > len(payload):
            raise WireError(_LAYER, "a cut state")
        try:
            name = payload[position + 1 : start].decode()
        except UnicodeDecodeError:
            raise WireError(_LAYER, "a bad name") from None
        if name in found:
            raise WireError(_LAYER, "a state that comes twice")
        found[name] = payload[content:end]
        position = end
    return found


def _name(text: str) -> bytes:
    name = text.encode()
    if len(name) > MAX_NAME:
        raise UserError(f"a name has at most {MAX_NAME} bytes, not {len(name)}")
    return name
