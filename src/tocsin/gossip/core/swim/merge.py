"""How a peer's member table is merged into ours (wire 2.7, 2.8)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from tocsin.gossip.address import Address
from tocsin.gossip.core.local import VERSIONS
from tocsin.gossip.core.member import Member
from tocsin.gossip.core.statistics import Statistics
from tocsin.gossip.core.steps import ENTRIES_AT_ONCE, Steps
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.wire.messages import Alive, Dead, MemberState, NodeState, Suspect

if TYPE_CHECKING:
    from tocsin.gossip.core.swim.membership import SwimMembership

_NO_VERSIONS: Final = bytes(len(VERSIONS))


def incompatibility(local: Iterable[Member], remote: Iterable[NodeState]) -> str:
    """Why two tables cannot be one cluster, or empty.

    The alive members of both span a range: from the largest minimum to the smallest maximum. Every member of
    both, dead ones too, must currently speak a version within it; missing versions count as 0. This is done
    for the protocol and the delegate separately.
    """
    alive: dict[bytes, None] = {}
    spoken: dict[bytes, str] = {}
    for entry in remote:
        whole = len(entry.versions) == len(VERSIONS)
        spoken.setdefault(entry.versions if whole else _NO_VERSIONS, entry.name)
        if whole and entry.state == MemberState.ALIVE:
            alive[entry.versions] = None
    for member in local:
        spoken.setdefault(member.versions, member.name)
        if member.state is MemberState.ALIVE:
            alive[member.versions] = None
    return _outside(alive, spoken)


def versions_problem(versions: bytes, others: Collection[bytes]) -> str:
    """Why a member that speaks these cannot be one of a cluster in which the others do, or empty."""
    return _outside([versions, *others], {versions: "the member"} | dict.fromkeys(others, "another member"))


def _outside(alive: Collection[bytes], spoken: Mapping[bytes, str]) -> str:
    for offset, kind in ((0, "protocol"), (3, "delegate")):
        low = max((versions[offset] for versions in alive), default=0)
        high = min((versions[offset + 1] for versions in alive), default=255)
        for versions, name in spoken.items():
            if not low <= (current := versions[offset + 2]) <= high:
                return f"{kind} version {current} of {name[:64]!r} is not within {low} to {high}"
    return ""


def merge(
    nodes: Iterable[NodeState],
    membership: SwimMembership,
    statistics: Statistics,
    source: Address,
    now: float,
    peer: PeerIdentity | None = None,
) -> Steps[None]:
    """Apply a peer's table entry by entry, some at a time. Its dead are only suspects to us: each may still
    refute, and has its time from the step on in which it was accused."""
    for number, entry in enumerate(nodes):
        if number % ENTRIES_AT_ONCE == 0:
            later = yield
            now = now if later is None else later
        if entry.state == MemberState.ALIVE:
            alive = Alive(
                incarnation=entry.incarnation,
                node=entry.name,
                address=entry.address,
                port=entry.port,
                meta=entry.meta,
                versions=entry.versions,
            )
            membership.apply_alive(alive, now, source, peer)
        elif entry.state == MemberState.LEFT:
            membership.apply_dead(Dead(entry.incarnation, entry.name, entry.name), now, source, peer)
        elif entry.state in (MemberState.SUSPECT, MemberState.DEAD):
            membership.apply_suspect(Suspect(entry.incarnation, entry.name, membership.table.name), now)
        else:
            statistics.messages_refused += 1
