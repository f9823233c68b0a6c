"""Silences to and from ``MeshSilence`` (wire 4.1, 4.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import cast

from google.protobuf.message import DecodeError

from tocsin.alerting.digest.tree import version_of
from tocsin.alerting.entries import RefusedEntryError
from tocsin.alerting.labels import Labels
from tocsin.alerting.protocol import silence_pb2 as protocol
from tocsin.alerting.protocol.delimited import delimit, read_delimited
from tocsin.alerting.protocol.fields import MAX_FIELDS, is_crowded
from tocsin.alerting.protocol.instants import read_instant, write_instant
from tocsin.alerting.regex_cost import Cost, PatternCostError, cost_of
from tocsin.alerting.silence.silence import NO_ANNOTATIONS, Silence
from tocsin.alerting.silence.validate import (
    MAX_MATCHERS,
    PATTERNS,
    check_annotations,
    check_times,
    making_matcher_sets,
)
from tocsin.alerting.steps import Steps, finish
from tocsin.alerting.timestamp import LATEST, ZERO, Nanoseconds
from tocsin.errors import StateError, ValidationError

MAX_ID_CHARACTERS = 128
_SILENCE = protocol.MeshSilence.DESCRIPTOR.fields_by_name["silence"].number
QUICK_CHARACTERS = 512
"""Of all patterns in a silence, up to which they are weighed to see whether they are costly."""
QUICK_EFFORT = 1024
"""In instructions, past which they are."""


def _parse(message: memoryview | bytes) -> protocol.MeshSilence:
    try:
        mesh = protocol.MeshSilence.FromString(message)  # type: ignore[arg-type]  # takes any buffer
    except DecodeError:
        raise StateError("a silence does not decode") from None
    if not mesh.HasField("silence"):
        raise StateError("a silence entry without a silence")
    return mesh


def _check_counts(silence: protocol.Silence) -> None:
    """Raise ValidationError for more than there may be, before any of it is looked at: each takes some
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
        if _triples(silence.matchers) != _triples(first):
            del silence.matchers[:]
            silence.matchers.extend(first)
            changed = True
    return changed


def _triples(matchers: Iterable[protocol.Matcher]) -> list[tuple[int, str, str]]:
    return [(each.type, each.name, each.pattern) for each in matchers]


def check(message: memoryview | bytes) -> None:
    """Raise StateError if the bytes are no MeshSilence with something in it; nothing for what
    :func:`decoding` refuses unread."""
    if not is_crowded(message, _SILENCE):
        _parse(message)


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
    if is_crowded(message, _SILENCE):
        raise RefusedEntryError(f"a silence of more than {MAX_FIELDS} fields, which is the limit")
    mesh = _parse(message)
    silence = mesh.silence
    identifier = silence.id
    if not identifier:
        raise RefusedEntryError("a silence without id")
    if len(identifier) > MAX_ID_CHARACTERS:
        raise RefusedEntryError(f"a silence id of {len(identifier)} characters")
    try:
        _check_counts(silence)
    except ValidationError as error:
        raise RefusedEntryError(f"silence {identifier}: {error}") from None
    changed = _normalise(silence)
    sets = [entry.matchers for entry in silence.matcher_sets] or [silence.matchers]
    try:  # What costs little first: patterns are compiled last.
        starts_at = read_instant(silence.starts_at) if silence.HasField("starts_at") else ZERO
        ends_at = read_instant(silence.ends_at) if silence.HasField("ends_at") else ZERO
        updated_at = read_instant(silence.updated_at)
        expires_at = read_instant(mesh.expires_at)
        check_times(starts_at, ends_at)
        if starts_at < ZERO or ends_at > LATEST or not ZERO <= updated_at <= LATEST:
            raise ValidationError("a time outside years 1 to 9999")
        if not (silence.matcher_sets or silence.matchers):
            raise ValidationError("at least one matcher set required")
        matcher_sets = yield from making_matcher_sets(
            map(_triples, sets), room=room if ends_at >= now else None
        )
    except ValueError as error:
        raise RefusedEntryError(f"silence {identifier}: {error}") from None
    except ValidationError as error:
        raise RefusedEntryError(f"silence {identifier}: {error}") from None
    encoded = bytes(message)
    version = 0
    if silence.matcher_sets:
        canonical = mesh.SerializeToString(deterministic=True)
        version = version_of(canonical)
        if changed:
            encoded = canonical
    elif changed:
        encoded = mesh.SerializeToString(deterministic=True)
    return Silence(
        id=identifier,
        matcher_sets=matcher_sets,
        starts_at=starts_at,
        ends_at=ends_at,
        updated_at=updated_at,
        created_by=silence.created_by,
        comment=silence.comment,
        annotations=Labels(silence.annotations) if silence.annotations else NO_ANNOTATIONS,
        expires_at=expires_at,
        encoded=delimit(encoded),
        version=version,
    )


def is_costly(message: memoryview | bytes) -> bool:
    """Whether it takes long to read the patterns of a silence, or to compile them; found quickly. False for
    what is no silence, or is refused unread."""
    if is_crowded(message, _SILENCE):
        return False
    try:
        silence = _parse(message).silence
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
        mesh = _parse(next(read_delimited(base.encoded)))
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
    return _parse(next(read_delimited(change))).silence.id


def canonical(silence: Silence) -> bytes:
    """:func:`canonical_message` of a silence."""
    return canonical_message(next(read_delimited(silence.encoded)))


def canonical_message(message: memoryview | bytes) -> bytes:
    """One encoding for all that mean the same: with and without matcher sets, maps in any order. No pattern
    is looked at. Raises StateError."""
    mesh = _parse(message)
    _normalise(mesh.silence)
    if not mesh.silence.matcher_sets:
        mesh.silence.matcher_sets.add().matchers.extend(mesh.silence.matchers)
    return mesh.SerializeToString(deterministic=True)
