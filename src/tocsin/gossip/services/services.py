"""All services of one member, as the driver holds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from tocsin.aio import Tasks
from tocsin.errors import TocsinError
from tocsin.gossip.core.effects import Event, MemberJoined, MemberLeft, MemberUpdated
from tocsin.gossip.core.endpoint import Endpoint
from tocsin.gossip.services.events import EventStreams
from tocsin.gossip.services.replicas import Replicas, ReplicatedState
from tocsin.gossip.services.requests import Answer, Requests, SendReliable
from tocsin.gossip.services.statistics import ServiceStatistics
from tocsin.gossip.services.waiting import MemberWaits

MAX_SPREADING: Final = 64
"""Changes too large for a packet on their way, each to some members by streams."""


class Services:
    """Gets every event before the application does, and keeps what is meant for a service."""

    def __init__(
        self,
        endpoint: Endpoint,
        random: Random,
        tasks: Tasks,
        *,
        states: Mapping[str, ReplicatedState],
        answer: Answer | None,
        send: SendReliable,
        broadcast: Callable[[bytes], None],
        emit: Callable[[Event], None],
    ) -> None:
        self.statistics: ServiceStatistics = ServiceStatistics()
        self.streams: EventStreams = EventStreams(self.statistics)
        self.waits: MemberWaits = MemberWaits(endpoint.members)
        self.replicas: Replicas = Replicas(states, self.statistics, send=self._spread, emit=emit)
        self.requests: Requests = Requests(
            endpoint.local.name,
            answer,
            self.statistics,
            tasks,
            send=send,
            speaks_for=endpoint.speaks_for,
            emit=emit,
        )
        self._endpoint = endpoint
        self._random = random
        self._tasks = tasks
        self._send = send
        self._broadcast = broadcast
        self._spreading = 0

    def take(self, event: Event) -> bool:
        """Whether a service kept it; otherwise the application gets it."""
        if self.requests.take(event) or self.replicas.take(event):
            return True
        if isinstance(event, MemberJoined | MemberLeft | MemberUpdated):
            self.waits.changed()
        self.streams.emit(event)
        return False

    def close(self) -> None:
        """Nobody waits for anything any more."""
        self.requests.close()
        self.waits.close()
        self.streams.close()

    def _spread(self, message: bytes) -> None:
        """To all by gossip if it fits a packet, else to some members by streams, who pass it on."""
        if self._endpoint.leaving:
            return
        if len(message) <= self._endpoint.packet_room:
            self._broadcast(message)
        elif self._spreading >= MAX_SPREADING:
            self.statistics.changes_dropped += 1
        else:
            self._spreading += 1
            self._tasks.spawn(self._send_to_some(message))

    async def _send_to_some(self, message: bytes) -> None:
        try:
            ours = self._endpoint.local.name
            others = [member.name for member in self._endpoint.members() if member.name != ours]
            for name in self._random.sample(others, min(self._endpoint.config.gossip_nodes, len(others))):
                try:
                    await self._send(name, message)
                except TocsinError:
                    pass  # The next push/pull brings it.
        finally:
            self._spreading -= 1
