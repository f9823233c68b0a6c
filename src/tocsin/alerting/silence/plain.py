"""Reads the shape in which nearly all silences come, many at a time, in a fraction of the time that the codec
takes.

Of this shape is what is its own canonical encoding, and has one matcher set, said twice, without patterns.
Protobuf's objects are slow to read, so it is asked for the bytes of each field only: that all of them are
canonical, and that no others are there, is seen by writing them again, for all silences in one call. So are
their times read as numbers. Everything else, and whatever may be invalid, is left to the codec.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from google.protobuf.message import DecodeError

from tocsin.alerting.digest.tree import version_of
from tocsin.alerting.matcher import Matcher, MatchType
from tocsin.alerting.protocol.delimited import varint
from tocsin.alerting.protocol.plain_pb2 import MeshSilence, MeshSilences, Numbers
from tocsin.alerting.silence.silence import NO_ANNOTATIONS, Silence
from tocsin.alerting.timestamp import LATEST, SECOND

MAX_PLAIN_BYTES: Final = 4096
"""Of a silence; a larger one is not plain."""
MAX_PLAIN_ID: Final = 0x7F
MANY_TIMES: Final = 16
"""From which on they are read together."""

_EQUAL: Final = MatchType.EQUAL
_NOT_EQUAL: Final = MatchType.NOT_EQUAL
_NOT_EQUAL_NUMBER: Final = int(MatchType.NOT_EQUAL)
_LATEST_SECOND: Final = LATEST // SECOND
_SECONDS, _NANOS = 0x08, 0x10
"""Tags within a time."""
_MATCHERS, _SETS = 0x12, b"\x5a"
_TAG: Final = b"\x0a"
"""Of a silence among many, and of a matcher in its set."""


def read_plain(encoded: bytes) -> Silence | None:
    """:func:`read_all_plain` of one."""
    return read_all_plain((encoded,))[0]


def read_all_plain(encoded: Sequence[bytes]) -> list[Silence | None]:
    """The silence in each delimited MeshSilence, checked as the codec checks it, with the version that the
    codec gives it; None for what is not of the plain shape: patterns, annotations, several matcher sets or
    none, and all that is not acceptable."""
    if max(map(len, encoded), default=0) <= MAX_PLAIN_BYTES:
        joined = _TAG + _TAG.join(encoded)
        try:
            meshes = MeshSilences.FromString(joined)
        except DecodeError:
            meshes = None
        if meshes is not None:
            meshes.DiscardUnknownFields()
            if meshes.SerializeToString(deterministic=True) == joined:
                return _read_all(encoded, list(meshes.all))
    if len(encoded) <= 1:
        return [None] * len(encoded)
    return [read_plain(each) for each in encoded]


def _read_all(encoded: Sequence[bytes], meshes: Sequence[MeshSilence]) -> list[Silence | None]:
    # All fields are known to stand in their order, no others are there, and all lengths are as short as they
    # can be.
    silences = [mesh.silence for mesh in meshes]
    written: list[bytes] = []
    for mesh, silence in zip(meshes, silences, strict=True):
        written += (silence.starts_at, silence.ends_at, silence.updated_at, mesh.expires_at)
    times = _instants(written)
    found: list[Silence | None] = []
    place = 0
    for each, silence in zip(encoded, silences, strict=True):
        starts, ends, updated, expires = written[place : place + 4]
        starts_at, ends_at, updated_at, expires_at = times[place : place + 4]
        place += 4
        identifier, created_by, comment = silence.id, silence.created_by, silence.comment
        size = len(identifier)
        if (
            starts_at is None
            or ends_at is None
            or updated_at is None
            or expires_at is None
            or ends_at < starts_at
            or not 0 < size <= MAX_PLAIN_ID
            or not identifier.isascii()
        ):
            found.append(None)
            continue
        head = 1 if each[0] < 0x80 else 2
        first = head + (2 if each[head + 1] < 0x80 else 3) + 2 + size
        after = len(starts) + len(ends) + len(updated) + 6
        for text in (created_by, comment):
            if text:
                after += len(text) + (2 if len(text) < 0x80 else 3)
        try:
            matchers = _matchers(each, first, after, len(each) - 2 - len(expires))
            found.append(
                None
                if matchers is None
                else Silence(
                    identifier.decode(),
                    (matchers,),
                    starts_at,
                    ends_at,
                    updated_at,
                    created_by.decode(),
                    comment.decode(),
                    NO_ANNOTATIONS,
                    expires_at,
                    each,
                    version_of(each[head:]),
                )
            )
        except (IndexError, UnicodeDecodeError):
            found.append(None)
    return found


def _instants(written: Sequence[bytes]) -> list[int | None]:
    """The times in these bytes, in nanoseconds; None for one that is not after 1970 and before the year
    10000, or not canonical."""
    count = len(written)
    if count < MANY_TIMES:
        return [_instant(each) for each in written]
    # Nearly always each has the same four numbers, so that all of them are read in one call. A zero, which
    # none of the four is, goes between: what is shorter or longer than one time cannot pass for several.
    joined = b"\0".join(written)
    message = _TAG + varint(len(joined)) + joined
    try:
        numbers = Numbers.FromString(message)
    except DecodeError:
        return [_instant(each) for each in written]
    read = numbers.all[:]
    if (
        len(read) == 5 * count - 1
        and read[::5].count(_SECONDS) == read[2::5].count(_NANOS) == count
        and read[4::5].count(0) == count - 1
        and numbers.SerializeToString() == message  # Each is as short as it can be.
    ):
        seconds, nanos = read[1::5], read[3::5]
        if min(seconds) > 0 and max(seconds) < _LATEST_SECOND and min(nanos) > 0 and max(nanos) < SECOND:
            return [second * SECOND + nano for second, nano in zip(seconds, nanos, strict=True)]
    return [_instant(each) for each in written]


def _instant(written: bytes) -> int | None:
    read: list[int] = []
    number = shift = 0
    for byte in written:
        number |= (byte & 0x7F) << shift
        if byte >= 0x80:
            shift += 7
            continue
        if not byte:  # It says nothing: the canonical form is without it.
            return None
        read.append(number)
        number = shift = 0
    if shift or len(read) not in (2, 4) or read[0] != _SECONDS or not read[1] < _LATEST_SECOND:
        return None
    if len(read) == 2:
        return read[1] * SECOND
    return read[1] * SECOND + read[3] if read[2] == _NANOS and read[3] < SECOND else None


def _matchers(encoded: bytes, position: int, after: int, end: int) -> tuple[Matcher, ...] | None:
    """The matchers that begin at ``position``, if from ``after`` their end up to ``end`` there is
    one set of the same, and it is selective. IndexError or UnicodeDecodeError for some that are none."""
    found: list[Matcher] = []
    within = b""
    selective = False
    while encoded[position] == _MATCHERS:  # Lists of protobuf take three times as long.
        size = encoded[position + 1]
        if size >= 0x80:
            return None
        body = encoded[position + 1 : position + 2 + size]
        matcher = _matcher(body)
        if matcher is None:
            return None
        selective = selective or matcher.value != "" or matcher.type is not _EQUAL
        within += _TAG + body
        found.append(matcher)
        position += 2 + size
    if not selective or encoded[position + after : end] != _SETS + varint(len(within)) + within:
        return None
    return tuple(found)


@lru_cache(maxsize=4096)  # Silences share many: one object, and its texts, for all of them.
def _matcher(body: bytes) -> Matcher | None:
    """The matcher of these bytes, its length of one byte before it; None for one that is not plain.
    IndexError or UnicodeDecodeError for other bytes."""
    match_type, position = _EQUAL, 2
    if body[1] == 0x08:
        if body[2] != _NOT_EQUAL_NUMBER:
            return None
        match_type, position = _NOT_EQUAL, 4
    end = position + 1 + body[position]
    if body[position - 1] != 0x12 or end == position + 1 or end > len(body):
        return None
    name = body[position + 1 : end].decode()
    if end == len(body):
        return Matcher(match_type, name, "")
    size = body[end + 1]
    if body[end] != 0x1A or not size or end + 2 + size != len(body):
        return None
    return Matcher(match_type, name, body[end + 2 :].decode())
