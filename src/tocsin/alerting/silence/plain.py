"""Reads the shape in which nearly all silences come, in a third of the time that the codec takes.

Of this shape is what is its own canonical encoding, and has one matcher set, said twice, without patterns.
Protobuf's objects are slow to read, so only texts and times are read from them, and matchers are looked up by
their bytes. Everything else, and whatever may be invalid, is left to the codec.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from google.protobuf.message import DecodeError

from tocsin.alerting.digest.tree import version_of
from tocsin.alerting.matcher import Matcher, MatchType
from tocsin.alerting.protocol.delimited import delimit
from tocsin.alerting.protocol.silence_pb2 import MeshSilence
from tocsin.alerting.silence.silence import NO_ANNOTATIONS, Silence
from tocsin.alerting.timestamp import LATEST, SECOND

MAX_PLAIN_BYTES: Final = 4096
"""Of a silence; a larger one is not plain."""
MAX_PLAIN_ID: Final = 0x7F

_EQUAL: Final = MatchType.EQUAL
_NOT_EQUAL: Final = MatchType.NOT_EQUAL
_NOT_EQUAL_NUMBER: Final = int(MatchType.NOT_EQUAL)
_LATEST_SECOND: Final = LATEST // SECOND
_MATCHERS, _CREATED_BY, _COMMENT, _SETS = 0x12, 0x42, 0x4A, b"\x5a"
_TIMES: Final = (0x1A, 0x22, 0x2A)
"""Tags of starts_at, ends_at and updated_at."""


def read_plain(encoded: bytes) -> Silence | None:
    """The silence in a delimited MeshSilence, checked as the codec checks it, with the version that the codec
    gives it; None for what is not of the plain shape: patterns, annotations, several matcher sets or none,
    and all that is not acceptable."""
    if len(encoded) > MAX_PLAIN_BYTES:
        return None
    try:
        return _read(encoded)
    except (DecodeError, IndexError, UnicodeDecodeError):
        return None


def _read(encoded: bytes) -> Silence | None:
    at = 1 if encoded[0] < 0x80 else 2
    message = encoded[at:]
    mesh = MeshSilence.FromString(message)
    if mesh.SerializeToString(deterministic=True) != message:
        return None
    # From here on all fields are known to stand in their order, and all lengths to be as short as they can.
    silence = mesh.silence
    identifier = silence.id
    size = len(identifier)
    if not 0 < size <= MAX_PLAIN_ID or not identifier.isascii():
        return None
    within = at + (2 if encoded[at + 1] < 0x80 else 3)
    position = within + 2 + size
    end = within + (encoded[at + 1] if within == at + 2 else encoded[at + 1] & 0x7F | encoded[at + 2] << 7)

    written: list[bytes] = []
    matchers: list[Matcher] = []
    selective = False
    while encoded[position] == _MATCHERS:
        size = encoded[position + 1]
        if size >= 0x80:
            return None
        body = encoded[position + 1 : position + 2 + size]
        matcher = _matcher(body)
        if matcher is None:
            return None
        selective = selective or matcher.value != "" or matcher.type is not _EQUAL
        written.append(body)
        matchers.append(matcher)
        position += 2 + size
    if not selective:
        return None

    for tag in _TIMES:  # One with a field unknown to us may have a longer length.
        if encoded[position] != tag or encoded[position + 1] >= 0x80:
            return None
        position += 2 + encoded[position + 1]
    time = silence.starts_at
    starts, starts_nanos = time.seconds, time.nanos
    time = silence.ends_at
    ends, ends_nanos = time.seconds, time.nanos
    time = silence.updated_at
    updated, updated_nanos = time.seconds, time.nanos
    time = mesh.expires_at
    expires, expires_nanos = time.seconds, time.nanos
    if not (
        0 < starts <= ends < _LATEST_SECOND
        and 0 < updated < _LATEST_SECOND
        and 0 < expires < _LATEST_SECOND
        and 0 <= starts_nanos < SECOND
        and 0 <= ends_nanos < SECOND
        and 0 <= updated_nanos < SECOND
        and 0 <= expires_nanos < SECOND
    ):
        return None
    starts_at, ends_at = starts * SECOND + starts_nanos, ends * SECOND + ends_nanos
    if ends_at < starts_at:
        return None

    created_by, comment = silence.created_by, silence.comment
    for tag, text in ((_CREATED_BY, created_by), (_COMMENT, comment)):
        if text:
            if encoded[position] != tag:
                return None
            size = len(text) if text.isascii() else len(text.encode())
            position += size + (2 if size < 0x80 else 3)
    sets = _SETS + delimit(b"\x0a" + b"\x0a".join(written))
    if position + len(sets) != end or not encoded.startswith(sets, position):
        return None
    return Silence(
        identifier,
        (tuple(matchers),),
        starts_at,
        ends_at,
        updated * SECOND + updated_nanos,
        created_by,
        comment,
        NO_ANNOTATIONS,
        expires * SECOND + expires_nanos,
        encoded,
        version_of(message),
    )


@lru_cache(maxsize=4096)  # Silences share many: one object, and its texts, for all of them.
def _matcher(body: bytes) -> Matcher | None:
    """The matcher of these bytes, its length before it; None for one that is not plain. IndexError or
    UnicodeDecodeError for other bytes."""
    match_type = _EQUAL
    position = 1
    if body[1] == 0x08:
        if body[2] != _NOT_EQUAL_NUMBER:
            return None
        match_type = _NOT_EQUAL
        position = 3
    size = body[position + 1]
    if body[position] != 0x12 or not size:
        return None
    position += 2
    name = body[position : position + size].decode()
    position += size
    value = ""
    if position < len(body):
        size = body[position + 1]
        if body[position] != 0x1A or not size:
            return None
        position += 2
        value = body[position : position + size].decode()
        position += size
    return Matcher(match_type, name, value) if position == len(body) else None
