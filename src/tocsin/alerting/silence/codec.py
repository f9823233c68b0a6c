"""Silences to and from ``MeshSilence`` (wire 4.1, 4.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from google.protobuf.message import DecodeError
from msgspec.structs import replace

from tocsin.alerting.digest.tree import version_of
from tocsin.alerting.entries import RefusedEntryError
from tocsin.alerting.labels import Labels
from tocsin.alerting.protocol import silence_pb2 as protocol
from tocsin.alerting.protocol.delimited import delimit, read_delimited
from tocsin.alerting.protocol.fields import MAX_FIELDS, is_crowded
from tocsin.alerting.protocol.instants import read_instant, write_instant
from tocsin.alerting.regex_cost import Cost, PatternCostError, cost_of
from tocsin.alerting.silence.silence import NO_ANNOTATIONS, MatcherSet, Silence
from tocsin.alerting.silence.validate import (
    MAX_MATCHERS,
    PATTERNS,
    check_annotations,
    check_times,
    making_matcher_sets,
    plain_matchers,
)
from tocsin.alerting.steps import Steps, finish
from tocsin.alerting.timestamp import LATEST, ZERO, Nanoseconds
from tocsin.errors import StateError, ValidationError

MAX_ID_CHARACTERS = 128
_SILENCE = protocol.MeshSilence.DESCRIPTOR.fields_by_name["silence"].number
_SETS = protocol.Silence.DESCRIPTOR.fields_by_name["matcher_sets"].number
QUICK_CHARACTERS = 512
"""Of all patterns in a silence, up to which they are weighed to see whether they are costly."""
QUICK_EFFORT = 1024
"""In instructions, past which they are."""


def parse(message: memoryview | bytes) -> protocol.MeshSilence:
    """Raises StateError if the bytes are no MeshSilence with a silence in it; RefusedEntryError, unread, if
    they hold too much."""
    if is_crowded(message, _SILENCE, _SETS):
        raise RefusedEntryError(f"a silence of more than {MAX_FIELDS} fields, which is the limit")
    try:
        mesh = protocol.MeshSilence.FromString(message)  # type: ignore[arg-type]  # takes any buffer
    except DecodeError:
        raise StateError("a silence does not decode") from None
    if not mesh.HasField("silence"):
        raise StateError("a silence entry without a silence")
    return mesh


def _check_counts(silence: protocol.Silence) -> None:
    """Raise ValidationError for more than there may be, before any of it is checked: each takes some
    microseconds, and a megabyte holds half a million."""
    check_annotations(len(silence.annotations))
    count = max(len(silence.matchers), len(silence.matcher_sets))
    if count <= MAX_MATCHERS:
        count = max(count, sum([len(entry.matchers) for entry in silence.matcher_sets]))
    if count > MAX_MATCHERS:
        raise ValidationError(f"{count} matchers or sets of them, the limit is {MAX_MATCHERS}")


def _normalise(silence: protocol.Silence) -> bool:
    """Bring the fields that say a thing twice in line; whether anything had to change.

    The first legacy comment counts instead of ``comment`` and ``created_by``. If there are matcher sets they
    count, and ``matchers``, which is all that older peers read, is the first of them.
    """
    changed = False
    if silence.comments:
        silence.comment = silence.comments[0].comment
        silence.created_by = silence.comments[0].author
        del silence.comments[:]
        changed = True
    if silence.matcher_sets:
        first = silence.matcher_sets[0].matchers
        if silence.matchers != first and _triples(silence.matchers) != _triples(first):
            del silence.matchers[:]
            silence.matchers.extend(first)
            changed = True
    return changed


def _triples(matchers: Iterable[protocol.Matcher]) -> list[tuple[int, str, str]]:
    return [(each.type, each.name, each.pattern) for each in matchers]


def decode(message: memoryview | bytes) -> Silence:
    """:func:`decoding` at once."""
    return finish(decoding(message))


def decoding(
    message: memoryview | bytes, now: Nanoseconds = ZERO, room: Cost | None = None
) -> Steps[Silence]:
    """The silence in one MeshSilence, checked as if it came from the API, a step for each pattern. None may
    cost more than ``room``, if the silence has not ended ``now``.

    Raises StateError if the bytes are no MeshSilence with a silence in it; RefusedEntryError if the silence
    is not acceptable.
    """
    mesh = parse(message)
    changed, times = _looked_at(mesh)
    sets = [entry.matchers for entry in mesh.silence.matcher_sets] or [mesh.silence.matchers]
    room = room if times[1] >= now else None
    try:
        matcher_sets = yield from making_matcher_sets(map(_triples, sets), room=room)
    except ValidationError as error:
        raise RefusedEntryError(f"silence {mesh.silence.id}: {error}") from None
    return _made(mesh, matcher_sets, times, delimit(bytes(message)), changed=changed)


def decode_plain(mesh: protocol.MeshSilence, encoded: memoryview | bytes) -> Silence | None:
    """What is parsed already, without patterns, as :func:`decoding`; None if there is a pattern, or something
    wrong with a matcher. ``encoded`` is the delimited form."""
    changed, times = _looked_at(mesh)
    matcher_sets: list[MatcherSet] = []
    sets = mesh.silence.matcher_sets
    for matchers in [each.matchers for each in sets] if sets else (mesh.silence.matchers,):
        made = plain_matchers(_triples(matchers))
        if made is None:
            return None
        matcher_sets.append(made)
    return _made(mesh, tuple(matcher_sets), times, encoded, changed=changed)


_Times = tuple[Nanoseconds, Nanoseconds, Nanoseconds, Nanoseconds]
"""Start, end, last change, expiry."""


def _looked_at(mesh: protocol.MeshSilence) -> tuple[bool, _Times]:
    """Check all that costs little, as patterns are compiled last, and bring it in line: whether anything had
    to change, and the times."""
    silence = mesh.silence
    identifier = silence.id
    if not identifier:
        raise RefusedEntryError("a silence without id")
    if len(identifier) > MAX_ID_CHARACTERS:
        raise RefusedEntryError(f"a silence id of {len(identifier)} characters")
    try:
        _check_counts(silence)
        changed = _normalise(silence)
        starts_at, ends_at = read_instant(silence.starts_at), read_instant(silence.ends_at)
        if not starts_at and not silence.HasField("starts_at"):
            starts_at = ZERO
        if not ends_at and not silence.HasField("ends_at"):
            ends_at = ZERO
        updated_at = read_instant(silence.updated_at)
        expires_at = read_instant(mesh.expires_at)
        check_times(starts_at, ends_at)
        if starts_at < ZERO or ends_at > LATEST or not ZERO <= updated_at <= LATEST:
            raise ValidationError("a time outside years 1 to 9999")
        if not (silence.matcher_sets or silence.matchers):
            raise ValidationError("at least one matcher set required")
    except (ValueError, ValidationError) as error:
        raise RefusedEntryError(f"silence {identifier}: {error}") from None
    return changed, (starts_at, ends_at, updated_at, expires_at)


def _made(
    mesh: protocol.MeshSilence,
    matcher_sets: tuple[MatcherSet, ...],
    times: _Times,
    encoded: memoryview | bytes,
    *,
    changed: bool,
) -> Silence:
    silence = mesh.silence
    version = 0
    several = bool(silence.matcher_sets)
    if changed or several:
        canonical = mesh.SerializeToString(deterministic=True)
        if several:
            version = version_of(canonical)
        if changed:
            encoded = delimit(canonical)
    starts_at, ends_at, updated_at, expires_at = times
    return Silence(
        silence.id,
        matcher_sets,
        starts_at,
        ends_at,
        updated_at,
        silence.created_by,
        silence.comment,
        Labels(noted) if (noted := silence.annotations) else NO_ANNOTATIONS,
        expires_at,
        bytes(encoded),
        version,
    )


def is_costly(message: memoryview | bytes) -> bool:
    """Whether it takes long to read the patterns of a silence, or to compile them; found quickly. False for
    what is no silence, or is refused unread."""
    try:
        silence = parse(message).silence
        _check_counts(silence)
    except (StateError, ValidationError):
        return False
    sets = [entry.matchers for entry in silence.matcher_sets] or [silence.matchers]
    patterns = [each.pattern for matchers in sets for each in matchers if each.type in PATTERNS]
    if not patterns:
        return False
    if sum(map(len, patterns)) > QUICK_CHARACTERS:
        return True
    try:
        return sum([cost_of(each).effort for each in patterns]) > QUICK_EFFORT
    except PatternCostError:
        return True


def encode(silence: Silence, base: Silence | None = None) -> Silence:
    """``silence`` with ``encoded`` filled in. Fields of ``base`` that we do not know are carried over.

    ``matchers`` is always filled, with the first set; ``matcher_sets`` with all (wire 4.2).
    """
    mesh = protocol.MeshSilence()
    if base is not None and base.encoded:
        mesh = parse(next(read_delimited(base.encoded)))
    message = mesh.silence
    message.id = silence.id
    del message.matchers[:]
    del message.matcher_sets[:]
    for matchers in silence.matcher_sets:
        entries = message.matcher_sets.add().matchers
        for matcher in matchers:
            match_type = cast("protocol.Matcher.Type.ValueType", int(matcher.type))
            entries.add(type=match_type, name=matcher.name, pattern=matcher.value)
    message.matchers.extend(message.matcher_sets[0].matchers)
    write_instant(message.starts_at, silence.starts_at)
    write_instant(message.ends_at, silence.ends_at)
    write_instant(message.updated_at, silence.updated_at)
    del message.comments[:]
    message.created_by = silence.created_by
    message.comment = silence.comment
    message.annotations.clear()
    message.annotations.update(silence.annotations)
    write_instant(mesh.expires_at, silence.expires_at)
    encoded = mesh.SerializeToString(deterministic=True)
    return replace(silence, encoded=delimit(encoded), version=version_of(encoded))


def key_of(change: bytes) -> str:
    """The id of the silence in one change. Raises StateError if it holds none."""
    return parse(next(read_delimited(change))).silence.id


def canonical(silence: Silence) -> bytes:
    """:func:`canonical_message` of a silence."""
    return canonical_message(next(read_delimited(silence.encoded)))


def canonical_message(message: memoryview | bytes) -> bytes:
    """One encoding for all that mean the same: with and without matcher sets, maps in any order. No pattern
    is compiled. Raises StateError."""
    mesh = parse(message)
    _normalise(mesh.silence)
    if not mesh.silence.matcher_sets:
        mesh.silence.matcher_sets.add().matchers.extend(mesh.silence.matchers)
    return mesh.SerializeToString(deterministic=True)
