"""Tocsin nodes announce their version and configuration to each other, for display only."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tocsin.bounded import Memo
from tocsin.gossip.core.effects import UserMessage
from tocsin.text import plain

if TYPE_CHECKING:
    from tocsin.node.cluster.cluster import Cluster

KEY: Final = "tcn.about"
"""Of the messages. Alertmanager would ignore it; it is never sent one."""
MAX_BYTES: Final = 512
MAX_MEMBERS: Final = 1024
LONGEST: Final = 64
"""Characters of a text that is shown."""


class NodeInfo:
    """``own`` says this node's version and configuration."""

    def __init__(self, cluster: Cluster, own: Callable[[], tuple[str, str]]) -> None:
        self._cluster = cluster
        self._own = own
        self._known: Memo[str, tuple[str, str]] = Memo(MAX_MEMBERS)
        cluster.handlers[KEY] = self.receive

    async def send(self) -> None:
        """Send it to the other Tocsin nodes. It may be lost."""
        version, configuration = self._own()
        said = json.dumps({"version": version, "configuration": configuration})
        self._cluster.send_to_tocsin(KEY, said.encode())

    def receive(self, data: bytes, event: UserMessage) -> None:
        """A peer sent its own; what cannot be read is ignored."""
        name = next((each.name for each in self._cluster.gossip.members if each.address == event.source), "")
        if not name or len(data) > MAX_BYTES:
            return
        try:
            said = json.loads(data)
            version, configuration = str(said["version"]), str(said["configuration"])
        except (ValueError, TypeError, KeyError):
            return
        self._known.put(name, (plain(version, LONGEST), plain(configuration, LONGEST)))

    def of(self, name: str) -> tuple[str, str]:
        """Version and configuration of a member; empty: not known."""
        if name == self._cluster.settings.name:
            return self._own()
        return self._known.get(name) or ("", "")
