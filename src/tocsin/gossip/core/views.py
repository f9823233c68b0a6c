"""What can be read from an endpoint."""

from __future__ import annotations

from tocsin.gossip.core.member import Member
from tocsin.gossip.core.parts import Parts
from tocsin.gossip.core.peer_statistics import PeerStatistics
from tocsin.gossip.core.statistics import Statistics
from tocsin.gossip.peer import PeerIdentity


class Views:
    """The read-only half of :class:`~tocsin.gossip.core.endpoint.Endpoint`."""

    def __init__(self, parts: Parts) -> None:
        self._context = parts.context
        self._table = parts.table
        self._membership = parts.membership
        self._outbox = parts.outbox
        self._admission = parts.admission
        self._awareness = parts.context.awareness
        self._statistics = parts.context.statistics
        self._of_peers = parts.context.of_peers
        self._member_broadcasts = parts.member_broadcasts
        self._user_broadcasts = parts.user_broadcasts

    @property
    def local(self) -> Member:
        """Ourselves."""
        return self._table.local

    def members(self) -> list[Member]:
        """The live members (alive and suspect), ourselves included until we leave."""
        return self._table.all_live()

    def known_members(self) -> list[Member]:
        """Those of every state, ourselves included, that are not yet forgotten."""
        return list(self._table.all())

    def member(self, name: str) -> Member | None:
        """A known member, dead ones included."""
        return self._table.get(name)

    def speaks_for(self, name: str, peer: PeerIdentity | None) -> bool:
        """Whether a message of ``peer`` may be one of that member, as far as the transport knows."""
        member = self._table.get(name)
        return member is not None and self._admission.speaks_for(name, member.address, peer)

    @property
    def known(self) -> int:
        """Members of any state that are not yet forgotten."""
        return self._table.known

    @property
    def newcomers(self) -> int:
        """Names of newcomers that were announced and have not answered yet."""
        return len(self._admission)

    @property
    def health_score(self) -> int:
        """Lifeguard's: 0 is healthy."""
        return self._awareness.score

    @property
    def queued_broadcasts(self) -> int:
        """Membership updates still to be sent."""
        return len(self._member_broadcasts)

    @property
    def queued_user_broadcasts(self) -> int:
        """The application's broadcasts still to be sent."""
        return len(self._user_broadcasts)

    @property
    def packet_room(self) -> int:
        """Bytes of an application's message that fit a packet of ``packet_size``."""
        return self._outbox.packet_room

    @property
    def statistics(self) -> Statistics:
        """The counters, up to date."""
        dropped = self._member_broadcasts.dropped + self._user_broadcasts.dropped
        self._statistics.broadcasts_dropped = dropped
        return self._statistics

    @property
    def of_peers(self) -> PeerStatistics:
        """What is counted of each member."""
        return self._of_peers

    @property
    def leaving(self) -> bool:
        """:meth:`leave` was called."""
        return self._table.leaving

    @property
    def left(self) -> bool:
        """We left, and the leave message was sent often enough, or there is no other member."""
        table = self._table
        if not table.leaving:
            return False
        return table.live == 0 or not self._member_broadcasts.holds(table.name)
