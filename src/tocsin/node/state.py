"""The replicated state of a node: in memory and on disk, and the changes of its own that the cluster gets.

A change of our own is committed to the journal, then applied in memory, then broadcast. What a peer sent is
merged, and relayed once the journal has it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.alerting.nflog import NotificationLog
from tocsin.alerting.record.ring import Bounds
from tocsin.alerting.remembered import Remembered
from tocsin.alerting.silence import Silence, SilenceLimits, Silences
from tocsin.dataclass import dataclass
from tocsin.node.clock import Clock
from tocsin.node.config.flags import NodeFlags
from tocsin.node.log import Logger
from tocsin.node.store import Store
from tocsin.node.store.changes import NotificationWriter, RelayQueue, SilenceChanges
from tocsin.node.store.kinds import NOTIFICATIONS, SILENCES

if TYPE_CHECKING:
    from tocsin.node.shadowing import Shadowing


@dataclass(frozen=True, slots=True)
class State:
    """Made once for each node. ``remembered`` is not replicated: the alert flow's memory over reloads,
    including entries that are recorded and not in the log yet."""

    silences: Silences
    log: NotificationLog
    remembered: Remembered
    store: Store
    relays: RelayQueue
    shadow: Shadowing | None

    @property
    def kinds(self) -> Mapping[str, Silences | NotificationLog]:
        """By the keys of gossip."""
        return {SILENCES.key: self.silences, NOTIFICATIONS.key: self.log}

    @property
    def entries(self) -> int:
        """How many entries there are."""
        return len(self.silences) + len(self.log)


def make_state(flags: NodeFlags, clock: Clock) -> State:
    """The state in the folder of ``--storage.path``, not opened yet. :class:`ConfigError` if that
    cannot be used."""
    silences = Silences(
        flags.data_retention,
        random=random.SystemRandom(),
        limits=SilenceLimits(flags.silences_max_silences, flags.silences_max_silence_size_bytes),
    )
    remembered = Remembered()
    log, shadow = _log(flags, clock, remembered)
    store = Store(
        Path(flags.storage_path),
        {SILENCES.key: silences.replicated, NOTIFICATIONS.key: log.replicated},
        records=Bounds(
            entries=flags.record_max_entries, size=flags.record_max_bytes, age=flags.record_max_age
        ),
    )
    return State(
        silences, log, remembered, store, RelayQueue(flush=lambda: store.flush(urgent=False)), shadow
    )


@dataclass(frozen=True, slots=True)
class OwnChanges:
    """What this node changes itself: committed, applied, then broadcast."""

    silences: SilenceChanges
    notifications: NotificationWriter


def make_changes(
    state: State,
    clock: Clock,
    broadcast: Callable[[str, Sequence[bytes]], None],
    on_change: Callable[[str, Silence], None],
    *,
    log_silences: bool,
) -> OwnChanges:
    """``broadcast`` gets each change: its key and its entries. ``on_change`` gets each change of a silence:
    its verb and the silence after it; with ``--log.silences`` so does the log."""
    commit = state.store.commit
    log = Logger("tocsin.silences", component="silences") if log_silences else None
    return OwnChanges(
        SilenceChanges(
            state.silences, commit=commit, now=clock.now, broadcast=broadcast, log=log, on_change=on_change
        ),
        NotificationWriter(
            state.log,
            state.remembered.recorded,
            commit=commit,
            now=clock.now,
            broadcast=broadcast,
            logger=Logger("tocsin.nflog", component="nflog"),
        ),
    )


def _log(flags: NodeFlags, clock: Clock, remembered: Remembered) -> tuple[NotificationLog, Shadowing | None]:
    """The notification log, and in shadow what compares with it."""
    if not flags.dispatch_shadow:
        return NotificationLog(flags.data_retention), None
    from tocsin.node.shadowing import Shadowing

    log = NotificationLog(flags.data_retention, heard=lambda *entries: shadow.heard(*entries))
    shadow = Shadowing(flags, log, remembered.recorded, clock)
    return log, shadow
