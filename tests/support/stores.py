"""A node's state and its store, without the node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

from tocsin.alerting.matcher import Matcher, MatchType
from tocsin.alerting.nflog import NotificationLog, Receiver
from tocsin.alerting.silence import Silence, Silences
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.node.store import Store
from tocsin.node.store.changes import SilenceChanges

NOW = 1_800_000_000 * SECOND
HOUR = 3600 * SECOND


def silence(name: str, *, comment: str = "", now: Nanoseconds = NOW, identifier: str = "") -> Silence:
    """What somebody asks for."""
    matchers = ((Matcher(MatchType.EQUAL, "alertname", name),),)
    return Silence(identifier, matchers, now, now + HOUR, comment=comment)


class Disk:
    """One life of a node on the folder; make another for the next run."""

    def __init__(self, folder: Path, *, seed: int = 0) -> None:
        self.folder = folder
        self.time = NOW
        self.silences = Silences(HOUR, random=Random(seed))
        self.notification_log = NotificationLog(HOUR)
        self.store = Store(folder, {"sil": self.silences.replicated, "nfl": self.notification_log})
        self.told: list[bytes] = []
        self.changes = SilenceChanges(
            self.silences, commit=self.store.commit, now=self.now, broadcast=self._tell
        )

    def now(self) -> Nanoseconds:
        self.time += 1
        return self.time

    def _tell(self, kind: str, changes: Sequence[bytes]) -> None:
        self.told += changes

    async def open(self) -> Disk:
        await self.store.open(self.time)
        return self

    def notified(self, group: str) -> None:
        """A notification was sent."""
        assert self.notification_log.log(Receiver("sink", "webhook", 0), group, [1], [], self.now())

    def held(self) -> dict[str, bytes]:
        """The silences by id, as they are encoded."""
        return {each.id: each.encoded for each in self.silences.replicated}

    def groups(self) -> set[bytes]:
        """The groups in the notification log."""
        return {entry.group_key for entry in self.notification_log}
