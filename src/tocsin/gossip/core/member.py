"""A member of the cluster as others see it."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.dataclass import dataclass
from tocsin.gossip.address import Address
from tocsin.gossip.wire.messages import MemberState, NodeState
from tocsin.gossip.wire.tags import decode_tags


@dataclass(frozen=True, slots=True)
class Member:
    """A snapshot of one member; ``state_changed`` is core time in seconds."""

    name: str
    address: Address
    incarnation: int
    state: MemberState
    state_changed: float
    meta: bytes = b""
    versions: bytes = b""

    @property
    def live(self) -> bool:
        """Alive or suspect: a suspect member still counts as a member."""
        return self.state in (MemberState.ALIVE, MemberState.SUSPECT)

    @property
    def tags(self) -> Mapping[str, str]:
        """The names and values in :attr:`meta`, as serf has them; empty if it is something else."""
        return decode_tags(self.meta)

    @property
    def entry(self) -> NodeState:
        """As push/pull sends it."""
        return NodeState(
            name=self.name,
            address=self.address.packed,
            port=self.address.port,
            incarnation=self.incarnation,
            state=int(self.state),
            meta=self.meta,
            versions=self.versions,
        )
