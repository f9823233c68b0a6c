"""One entry of the notification log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass

ReceiverData = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where a notification goes: the name, the kind of notifier, and its index within the receiver."""

    group_name: str
    integration: str
    index: int


@dataclass(frozen=True, slots=True)
class Entry:
    """The last notification of one alert group to one receiver integration.

    ``firing_alerts`` and ``resolved_alerts`` hold :attr:`Labels.hash` of the alerts in it. ``resolved`` is
    not filled any more. ``receiver_data`` is for integrations that must remember something. ``encoded`` is
    the delimited MeshEntry as it came or was made, with the fields we do not know.
    """

    group_key: bytes
    receiver: Receiver
    timestamp: Nanoseconds
    firing_alerts: tuple[int, ...] = ()
    resolved_alerts: tuple[int, ...] = ()
    expires_at: Nanoseconds = 0
    resolved: bool = False
    receiver_data: ReceiverData = field(default_factory=dict, hash=False)
    encoded: bytes = field(default=b"", repr=False, compare=False)

    @property
    def key(self) -> tuple[bytes, Receiver]:
        """What identifies an entry in the replicated state."""
        return self.group_key, self.receiver

    @property
    def stamp(self) -> Nanoseconds:
        """What identifies a version of an entry in the replicated state."""
        return self.timestamp


def entry_key(receiver: Receiver, group_key: str) -> tuple[bytes, Receiver]:
    """:attr:`Entry.key` of the entries of a group at a receiver."""
    return group_key.encode("utf-8", "surrogatepass"), receiver


def next_entry(
    key: tuple[bytes, Receiver],
    firing: Iterable[int],
    resolved: Iterable[int],
    now: Nanoseconds,
    lifetime: Nanoseconds,
    last: Nanoseconds,
    receiver_data: ReceiverData | None,
) -> Entry:
    """The entry of a notification at ``now``, for so long. Its timestamp is later than ``last``, that of the
    version before, whatever the clocks say: what is not recorded would be sent again."""
    return Entry(
        *key,
        timestamp=max(now, last + 1),
        firing_alerts=tuple(firing),
        resolved_alerts=tuple(resolved),
        expires_at=now + lifetime,
        receiver_data=receiver_data or {},
    )
