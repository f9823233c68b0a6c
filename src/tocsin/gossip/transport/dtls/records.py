"""DTLS records as bytes: reading their headers, packing them into datagrams. No cryptography.

A record: type (1 byte), version (2), epoch (2), sequence number (6), length (2), that many bytes. The header
is in clear. In epoch 0 so is the rest. A handshake message has its own header: type (1), length (3), message
sequence (2), fragment offset (3), fragment length (3). Source: RFC 6347, 4.1, 4.2.2 and 4.3.2.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Final

from tocsin.dataclass import dataclass

HEADER_BYTES: Final = 13
HANDSHAKE_HEADER_BYTES: Final = 12
CHANGE_CIPHER_SPEC: Final = 20
ALERT: Final = 21
HANDSHAKE: Final = 22
DATA: Final = 23
_TYPES: Final = frozenset({CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, DATA})
_VERSIONS: Final = frozenset({b"\xfe\xff", b"\xfe\xfd"})
"""DTLS 1.0, in which hellos are packed, and DTLS 1.2."""
_CLIENT_HELLO: Final = 1
_HELLO_VERIFY_REQUEST: Final = 3
_LONGEST: Final = 2**14 + 2048
MAX_RECORDS: Final = 32
"""Of a received datagram: a whole flight has ten, and each is some work, whatever is in it."""

LOST_STATE: Final = b"\x01\x0a"
"""The body of an alert in clear: warning, unexpected message. No OpenSSL sends that, so with it we inform a
peer that we do not know its association."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record. ``data`` is all of it, with its header."""

    kind: int
    epoch: int
    data: bytes

    @property
    def body(self) -> bytes:
        """Without the header."""
        return self.data[HEADER_BYTES:]

    @property
    def is_client_hello(self) -> bool:
        """The start of a handshake, or a repeat of it."""
        return (
            self.kind == HANDSHAKE
            and self.epoch == 0
            and len(self.data) > HEADER_BYTES
            and self.data[HEADER_BYTES] == _CLIENT_HELLO
        )

    @property
    def handshake_header(self) -> bytes:
        """Identifies a fragment of a handshake message; empty for other records."""
        if self.kind != HANDSHAKE or self.epoch:
            return b""
        return self.data[HEADER_BYTES : HEADER_BYTES + HANDSHAKE_HEADER_BYTES]

    @property
    def handshake_messages(self) -> list[tuple[int, int]]:
        """Number and whole length of each handshake message of which a piece is in the record, as far as it
        is in clear. What is left of a malformed one is not looked at."""
        found: list[tuple[int, int]] = []
        if self.kind != HANDSHAKE or self.epoch:
            return found
        position = HEADER_BYTES
        while position + HANDSHAKE_HEADER_BYTES <= len(self.data):
            header = self.data[position : position + HANDSHAKE_HEADER_BYTES]
            found.append((int.from_bytes(header[4:6], "big"), int.from_bytes(header[1:4], "big")))
            position += HANDSHAKE_HEADER_BYTES + int.from_bytes(header[9:12], "big")
        return found


def read_records(datagram: bytes, at_most: int = sys.maxsize) -> list[Record]:
    """The well-formed records at its start, ``at_most`` so many; what follows a malformed one is ignored.

    Empty when the datagram is not DTLS.
    """
    records: list[Record] = []
    position = 0
    while position + HEADER_BYTES <= len(datagram) and len(records) < at_most:
        length = int.from_bytes(datagram[position + 11 : position + 13], "big")
        end = position + HEADER_BYTES + length
        kind = datagram[position]
        if (
            kind not in _TYPES
            or datagram[position + 1 : position + 3] not in _VERSIONS
            or not 0 < length <= _LONGEST
            or end > len(datagram)
        ):
            break
        epoch = int.from_bytes(datagram[position + 3 : position + 5], "big")
        records.append(Record(kind, epoch, datagram[position:end]))
        position = end
    return records


def pack_datagrams(records: Iterable[bytes], mtu: int) -> list[bytes]:
    """Whole records in order, in few datagrams, none longer than ``mtu`` but for a longer record."""
    datagrams: list[bytes] = []
    joined = b""
    for record in records:
        if joined and len(joined) + len(record) > mtu:
            datagrams.append(joined)
            joined = b""
        joined += record
    if joined:
        datagrams.append(joined)
    return datagrams


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What of a client's hello concerns cookies."""

    random: bytes
    """32 bytes; the same in the hello without and the one with the cookie."""
    cookie: bytes
    parameters: bytes
    """All of the message but the cookie."""
    sequence: bytes
    """The record's sequence number."""


def read_client_hello(record: Record) -> ClientHello | None:
    """None if it is none, or comes in fragments, which no client of ours sends."""
    body = record.body
    if not record.is_client_hello or len(body) < HANDSHAKE_HEADER_BYTES:
        return None
    length = int.from_bytes(body[1:4], "big")
    offset, piece = int.from_bytes(body[6:9], "big"), int.from_bytes(body[9:12], "big")
    message = body[HANDSHAKE_HEADER_BYTES:]
    if offset or length != piece or length != len(message):
        return None
    # Version 2, random 32, session 1 + n, cookie 1 + n, the rest.
    session_end = 35 + (message[34] if len(message) > 34 else 0)
    if session_end >= len(message):
        return None
    cookie_end = session_end + 1 + message[session_end]
    if cookie_end >= len(message):
        return None
    return ClientHello(
        random=message[2:34],
        cookie=message[session_end + 1 : cookie_end],
        parameters=message[:session_end] + message[cookie_end:],
        sequence=record.data[5:11],
    )


def hello_verify_request(hello: ClientHello, cookie: bytes) -> bytes:
    """The datagram that asks the sender of ``hello`` to say it again, with ``cookie`` (RFC 6347, 4.2.1).

    It repeats the hello's record number, so that nothing need be remembered.
    """
    message = b"\xfe\xff" + bytes([len(cookie)]) + cookie
    length = len(message).to_bytes(3, "big")
    handshake = bytes([_HELLO_VERIFY_REQUEST]) + length + b"\0\0" + b"\0\0\0" + length + message
    return _clear_record(HANDSHAKE, hello.sequence, handshake)


def lost_state() -> bytes:
    """The datagram that reports to a peer that its association is not known here."""
    return _clear_record(ALERT, bytes(6), LOST_STATE)


def access_denied() -> bytes:
    """The datagram of a fatal alert in clear: the peer's certificate is good, but not allowed here.

    OpenSSL would speak of an internal error. Its own records of a handshake never come to that number.
    """
    return _clear_record(ALERT, b"\0\0\0\0\xff\xff", b"\x02\x31")


def is_lost_state(record: Record) -> bool:
    """Whether a record is what :func:`lost_state` makes. Anyone can: it is a hint, and not believed."""
    return record.kind == ALERT and record.epoch == 0 and record.body == LOST_STATE


def _clear_record(kind: int, sequence: bytes, body: bytes) -> bytes:
    return bytes([kind]) + b"\xfe\xff" + b"\0\0" + sequence + len(body).to_bytes(2, "big") + body
