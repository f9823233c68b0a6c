"""What an alive message must be before the member table takes it, and whom the table asks beside."""

from __future__ import annotations

from typing import Final, Protocol

from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.wire.messages import Alive

VERSIONS: Final = bytes((1, 5, 2, 0, 0, 0))
"""What we speak: protocol 1 to 5, currently 2; no delegate protocol. Always six bytes (spec 1.3)."""


class Door(Protocol):
    """Who may become a member (``admission``)."""

    def objection(self, message: Alive, address: Address, source: Address, peer: PeerIdentity | None) -> str:
        """Why the name cannot be at that address, or empty."""

    def admit(self, message: Alive, address: Address, peer: PeerIdentity | None, now: float) -> bool:
        """Whether an unknown name is a member from now on."""


def alive_problem(message: Alive, meta_max_size: int) -> str:
    """Why an alive message cannot be taken from anybody, or empty."""
    versions = message.versions
    if not message.node:
        return "no name"
    if len(versions) != len(VERSIONS):
        return f"{len(versions)} version bytes, not {len(VERSIONS)}"
    if versions[0] == 0 or versions[1] == 0 or versions[0] > versions[1]:
        return f"protocol versions {versions[0]} to {versions[1]}"
    if len(message.meta) > meta_max_size:
        return f"{len(message.meta)} bytes of meta, at most {meta_max_size}"
    return ""
