"""Instants in the protobuf form ``{seconds, nanos}``."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from tocsin.alerting.timestamp import SECOND, Nanoseconds


def read_instant(timestamp: Timestamp) -> Nanoseconds:
    """The instant; a missing field reads as 1970, as in Go. Raises ValueError on impossible ``nanos``."""
    nanos = timestamp.nanos
    if not 0 <= nanos < SECOND:
        raise ValueError(f"{nanos} nanoseconds in a timestamp")
    return timestamp.seconds * SECOND + nanos


def write_instant(timestamp: Timestamp, instant: Nanoseconds) -> None:
    """Fill ``timestamp``; it is then present even if all its fields are zero."""
    timestamp.seconds, timestamp.nanos = divmod(instant, SECOND)
    timestamp.SetInParent()
