"""The registry of the kinds of replicated state. No other module names a kind by its key."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from random import Random
from types import MappingProxyType
from typing import Any, Final

from tocsin.alerting.nflog import NotificationLog, Receiver
from tocsin.alerting.nflog import codec as nflog_codec
from tocsin.alerting.replicated import ReplicatedState
from tocsin.alerting.silence import Silences
from tocsin.alerting.silence import codec as silence_codec
from tocsin.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of state."""

    key: str
    """Its key in gossip and in the journal."""
    name: str
    """The name of Alertmanager's snapshot file and in its metrics."""
    empty: Callable[[], ReplicatedState[Any]]
    """An empty state of this kind."""
    canonical: Callable[[memoryview], bytes]
    """The canonical encoding of a message; StateError for an invalid one."""
    key_bytes: Callable[[Any], bytes]
    """An entry's key, encoded for the journal."""
    key_of: Callable[[bytes], Hashable]
    """Decodes the key; ValueError for invalid bytes."""


def _silence_key(key: bytes) -> str:
    return key.decode("utf-8", "surrogatepass")


def _silence_key_bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _log_key_bytes(key: tuple[bytes, Receiver]) -> bytes:
    """The receiver as JSON, so without a line feed, a line feed, the group."""
    group_key, receiver = key
    named = json.dumps([receiver.group_name, receiver.integration, receiver.index])
    return named.encode() + b"\n" + bytes(group_key)


def _log_key(key: bytes) -> tuple[bytes, Receiver]:
    named, found, group_key = key.partition(b"\n")
    match json.loads(named):
        case [str(group_name), str(integration), int(index)] if found:
            return group_key, Receiver(group_name, integration, index)
        case _:
            raise ValueError("not the key of a log entry")


SILENCES: Final = Kind(
    "sil",
    "silences",
    empty=lambda: Silences(0, random=Random(0)).replicated,
    canonical=silence_codec.canonical_message,
    key_bytes=_silence_key_bytes,
    key_of=_silence_key,
)
NOTIFICATIONS: Final = Kind(
    "nfl",
    "nflog",
    empty=lambda: NotificationLog(0),
    canonical=lambda message: nflog_codec.canonical(nflog_codec.decode(message)),
    key_bytes=_log_key_bytes,
    key_of=_log_key,
)
KINDS: Final[Mapping[str, Kind]] = MappingProxyType({kind.key: kind for kind in (SILENCES, NOTIFICATIONS)})
