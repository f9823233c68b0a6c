"""Notification log entries to and from ``MeshEntry`` (wire 4.1, 4.6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from google.protobuf.message import DecodeError

from tocsin.alerting.entries import RefusedEntryError
from tocsin.alerting.nflog.entry import Entry, Receiver, ReceiverData
from tocsin.alerting.protocol import nflog_pb2 as protocol
from tocsin.alerting.protocol.delimited import delimit, read_delimited
from tocsin.alerting.protocol.fields import MAX_FIELDS, is_crowded
from tocsin.alerting.protocol.instants import read_instant, write_instant
from tocsin.alerting.timestamp import LATEST, ZERO
from tocsin.errors import StateError

MAX_HASHES: Final = 1 << 17
"""Firing and resolved alerts of one entry: more than an honest one of a megabyte holds."""
MAX_RECEIVER_DATA: Final = 1024
_ENTRY: Final = protocol.MeshEntry.DESCRIPTOR.fields_by_name["entry"].number


def parse(message: memoryview | bytes) -> protocol.MeshEntry:
    """Raises StateError if the bytes are no MeshEntry with something in it; RefusedEntryError, unread, if
    they hold too much."""
    if is_crowded(message, _ENTRY):
        raise RefusedEntryError(
            f"a notification log entry of more than {MAX_FIELDS} fields, which is the limit"
        )
    try:
        mesh = protocol.MeshEntry.FromString(message)  # type: ignore[arg-type]  # takes any buffer
    except DecodeError:
        raise StateError("a notification log entry does not decode") from None
    if not mesh.HasField("entry"):
        raise StateError("a notification log record without an entry")
    return mesh


def _receiver_data(entry: protocol.Entry) -> ReceiverData:
    result: dict[str, str | int | float] = {}
    for name, value in entry.receiver_data.items():
        kind = value.WhichOneof("value")
        if kind is not None:
            result[name] = getattr(value, kind)
    return result


def decode(message: memoryview | bytes) -> Entry:
    """The entry in one MeshEntry.

    Raises StateError if the bytes are no MeshEntry with an entry in it; RefusedEntryError if the entry names
    no group or receiver, has an impossible time, or holds too much.
    """
    return decode_parsed(parse(message), delimit(bytes(message)))


def decode_parsed(mesh: protocol.MeshEntry, encoded: memoryview | bytes) -> Entry:
    """:func:`decode` of what is parsed already; ``encoded`` is its delimited form."""
    entry = mesh.entry
    if not entry.group_key:
        raise RefusedEntryError("a notification log entry without group key")
    if not entry.HasField("receiver"):
        raise RefusedEntryError("a notification log entry without receiver")
    try:
        timestamp = read_instant(entry.timestamp)
        expires_at = read_instant(mesh.expires_at)
    except ValueError as error:
        raise RefusedEntryError(f"a notification log entry: {error}") from None
    if not ZERO <= timestamp <= LATEST:
        raise RefusedEntryError("a notification log entry: a time outside years 1 to 9999")
    hashes = len(entry.firing_alerts) + len(entry.resolved_alerts)
    if hashes > MAX_HASHES:
        raise RefusedEntryError(f"a notification log entry of {hashes} alerts, the limit is {MAX_HASHES}")
    if len(entry.receiver_data) > MAX_RECEIVER_DATA:
        raise RefusedEntryError(
            f"a notification log entry with {len(entry.receiver_data)} of its receiver's data, the limit is"
            f" {MAX_RECEIVER_DATA}"
        )
    receiver = entry.receiver
    return Entry(
        group_key=entry.group_key,
        receiver=Receiver(receiver.group_name, receiver.integration, receiver.idx),
        timestamp=timestamp,
        firing_alerts=tuple(entry.firing_alerts),
        resolved_alerts=tuple(entry.resolved_alerts),
        expires_at=expires_at,
        resolved=entry.resolved,
        receiver_data=_receiver_data(entry),
        encoded=bytes(encoded),
    )


def encode(entry: Entry) -> Entry:
    """``entry`` with ``encoded`` filled in."""
    mesh = protocol.MeshEntry()
    message = mesh.entry
    message.group_key = entry.group_key
    message.receiver.group_name = entry.receiver.group_name
    message.receiver.integration = entry.receiver.integration
    message.receiver.idx = entry.receiver.index
    message.resolved = entry.resolved
    write_instant(message.timestamp, entry.timestamp)
    message.firing_alerts.extend(entry.firing_alerts)
    message.resolved_alerts.extend(entry.resolved_alerts)
    for name, value in entry.receiver_data.items():
        if isinstance(value, str):
            message.receiver_data[name].str_val = value
        elif isinstance(value, int):
            message.receiver_data[name].int_val = value
        else:
            message.receiver_data[name].double_val = value
    write_instant(mesh.expires_at, entry.expires_at)
    return replace(entry, encoded=delimit(mesh.SerializeToString(deterministic=True)))


def key_of(change: bytes) -> tuple[bytes, Receiver]:
    """Group key and receiver of one change. Raises StateError if it holds no entry."""
    entry = parse(next(read_delimited(change))).entry
    receiver = entry.receiver
    return entry.group_key, Receiver(receiver.group_name, receiver.integration, receiver.idx)


def canonical(entry: Entry) -> bytes:
    """One encoding for all that mean the same (map entries in any order)."""
    return parse(next(read_delimited(entry.encoded))).SerializeToString(deterministic=True)
