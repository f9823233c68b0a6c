"""Reads the shape in which nearly all silences come, many at a time, in a fraction of the time that the codec
takes.

Of this shape is what is its own canonical encoding, and has one matcher set, said twice, without patterns.
Protobuf's objects are slow to read, so it is asked for the bytes of each field only: that all of them are
canonical, and that no others are there, is seen by writing them again, for all silences in one call. So are
their times read as numbers. Where all have the same fields, each field is read as one list for all of them.
Everything else, and whatever may be invalid, is left to the codec.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import repeat
from operator import ge
from typing import Final

from google.protobuf.message import DecodeError

from tocsin.alerting.digest.tree import HASH_BYTES, version_of
from tocsin.alerting.matcher import Matcher, MatchType
from tocsin.alerting.protocol.delimited import varint
from tocsin.alerting.protocol.plain_pb2 import Columns, MeshSilence, MeshSilences, Numbers
from tocsin.alerting.silence.silence import NO_ANNOTATIONS, MatcherSet, Silence
from tocsin.alerting.timestamp import LATEST, SECOND

MAX_PLAIN_BYTES: Final = 4096
"""Of a silence; a larger one is not plain."""
MAX_PLAIN_ID: Final = 0x7F
MANY_TIMES: Final = 16
"""From which on they are read together."""
MANY: Final = 4
"""Silences, from which on each field of them is read as one list."""

_EQUAL: Final = MatchType.EQUAL
_NOT_EQUAL: Final = MatchType.NOT_EQUAL
_NOT_EQUAL_NUMBER: Final = int(MatchType.NOT_EQUAL)
_LATEST_SECOND: Final = LATEST // SECOND
_SECONDS, _NANOS = 0x08, 0x10
"""Tags within a time."""
_MATCHERS, _SETS = 0x12, b"\x5a"
_MATCHER, _SET_MATCHER = bytes((_MATCHERS,)), 0x0A
_TAG: Final = b"\x0a"
"""Of a silence among many, and of a matcher in its set."""
_SHARED_SET: Final = 256
"""Bytes of a set up to which it is remembered, as many silences may have it: a thousand bytes take fifty
times as many in memory."""


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
                together = _read_columns(encoded, joined) if len(encoded) >= MANY else None
                return together or _read_all(encoded, list(meshes.all))
    if len(encoded) <= 1:
        return [None] * len(encoded)
    return [read_plain(each) for each in encoded]


def _read_columns(encoded: Sequence[bytes], joined: bytes) -> list[Silence | None] | None:
    """As :func:`_read_all`, if all of them are plain and have all fields; else None."""
    # None has any of these fields twice, or it would have been written otherwise: a list as long as this has
    # one of each.
    count = len(encoded)
    columns = Columns.FromString(joined).all
    silence = columns.silence
    sets = silence.matcher_sets[:]
    ids = silence.id[:]
    starts, ends, updated, expires = (
        silence.starts_at[:],
        silence.ends_at[:],
        silence.updated_at[:],
        columns.expires_at[:],
    )
    created_by, comments = silence.created_by[:], silence.comment[:]
    if not {count}.issuperset(map(len, (sets, ids, starts, ends, updated, expires, created_by, comments))):
        return None
    times = _instants([*starts, *ends, *updated, *expires])
    if None in times or max(map(len, ids)) > MAX_PLAIN_ID or not min(map(len, ids)):
        return None
    starts_at, ends_at = times[:count], times[count : 2 * count]
    if not all(map(ge, ends_at, starts_at)):  # type: ignore[arg-type]  # There is no None.
        return None
    found: list[tuple[MatcherSet]] = []
    messages: list[bytes] = []
    matchers = 0
    try:
        for each, identifier, content in zip(encoded, ids, sets, strict=True):
            head = 1 if each[0] < 0x80 else 2
            first = head + (2 if each[head + 1] < 0x80 else 3) + 2 + len(identifier)
            read = (_known_matchers_of if len(content) <= _SHARED_SET else _matchers_of)(content)
            if read is None or not each.startswith(read[1], first):
                return None
            matchers += len(read[0][0])
            found.append(read[0])
            messages.append(each[head:])
        if len(silence.matchers) != matchers:  # Each begins with those of its set, and has no more.
            return None
        return list(
            map(
                Silence,
                [identifier.decode("ascii") for identifier in ids],
                found,
                starts_at,
                ends_at,
                times[2 * count : 3 * count],
                map(bytes.decode, created_by),
                map(bytes.decode, comments),
                repeat(NO_ANNOTATIONS),
                times[3 * count :],
                encoded,
                [
                    int.from_bytes(blake2b(message, digest_size=HASH_BYTES).digest(), "big")
                    for message in messages
                ],
            )
        )
    except (IndexError, UnicodeDecodeError):
        return None


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


def _matchers_of(content: bytes) -> tuple[tuple[MatcherSet], bytes] | None:
    """The matchers of a set, and the bytes that they have before it in the silence; None if they are not
    plain, or not selective. IndexError or UnicodeDecodeError for some that are none."""
    found: list[Matcher] = []
    written = b""
    selective = False
    position = 0
    while position < len(content):
        size = content[position + 1]
        end = position + 2 + size
        if size >= 0x80 or content[position] != _SET_MATCHER or end > len(content):
            return None
        body = content[position + 1 : end]
        matcher = _matcher(body)
        if matcher is None:
            return None
        selective = selective or matcher.value != "" or matcher.type is not _EQUAL
        written += _MATCHER + body
        found.append(matcher)
        position = end
    return ((tuple(found),), written) if selective else None


_known_matchers_of = lru_cache(maxsize=4096)(_matchers_of)  # Silences share many.


@lru_cache(maxsize=4096)  # One object, and its texts, for all that have it.
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
