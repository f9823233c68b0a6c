"""A model of a large cluster: how rumours spread and what that costs, without a member table for each node.

Ten thousand real endpoints would hold a hundred million member entries. Here all nodes share one list of
members, all alive and known to all; each has a queue of rumours, a pool of connections, and three clocks:
gossip, probe, push/pull. The choice of partners and the rule of the pools are the real ones, settings and
sizes of messages too. Left out: membership news, failures, loss, CPU time. :mod:`.pooled` runs real
endpoints under the same plan.
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import gcd
from random import Random
from typing import Final, NamedTuple

from simulation.connections import Pools
from simulation.sizes import Sizes
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.broadcast import PART_OVERHEAD, transmit_limit
from tocsin.gossip.core.outbox import MAX_PARTS
from tocsin.gossip.core.partners import choose_partners
from tocsin.gossip.core.pushpull import interval_scale

EAGER_INTERVAL: Final = 0.005
"""Seconds between two bursts of news of one node (as in ``gossip/eager.py``, which is asyncio's)."""
LATENCY: Final = 0.005
"""Seconds one way."""
DIAL_TRIPS: Final = 6
"""Latencies that pass before a new connection carries data: TCP, TLS, and the start of ``tocsin/1``."""

GOSSIP, EAGER, PROBE, PUSH_PULL, ARRIVAL = range(5)
NOTHING, PING, EXCHANGE = range(3)


class _Event(NamedTuple):
    when: float
    order: int
    kind: int
    node: int
    rumours: tuple[int, ...] = ()
    source: int = 0
    carries: int = NOTHING


class Dissemination:
    """The cluster. ``biased``: partners as the node chooses them, else uniformly out of all members."""

    def __init__(
        self, size: int, limit: int, seed: int, config: GossipConfig, *, biased: bool, eager: bool
    ) -> None:
        self.size = size
        self.now = 0.0
        self.bytes_sent = 0
        """Sent by all nodes, without TCP and IP."""
        self.pools = Pools(size, limit)
        self._config = config
        self._sizes = Sizes(config, size)
        self._biased = biased
        self._eager = eager
        self._random = random = Random(f"{seed}/{size}")
        self._queue: list[_Event] = []
        self._order = 0
        self._transmits = transmit_limit(config.user_retransmit_multiplier, size)
        self._pending: list[dict[int, int]] = [{} for _ in range(size)]
        self._ticking = bytearray(size)
        self._eager_armed = bytearray(size)
        self._not_before = [0.0] * size
        self._knows: list[bytearray] = []
        self._waiting: list[int] = []
        self._born: list[float] = []
        self.times: dict[int, float] = {}
        """Of each rumour that has reached all: the seconds it took."""
        self._phase = [random.random() * config.gossip_interval for _ in range(size)]
        # Every node goes round all the others in an order of its own: start and stride instead of a list.
        self._probe = [(random.randrange(size), self._stride()) for _ in range(size)]
        self._probed = [0] * size
        self._push_pull_interval = config.push_pull_interval * interval_scale(size)
        for node in range(size):
            self._push(random.random() * config.probe_interval, PROBE, node)
            self._push(random.random() * self._push_pull_interval, PUSH_PULL, node)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        queue = self._queue
        while queue and queue[0].when <= end:
            event = heappop(queue)
            self.now = event.when
            kind, node = event.kind, event.node
            if kind == ARRIVAL:
                self._arrived(event)
            elif kind == GOSSIP:
                self._ticking[node] = 0
                self._gossip(node)
                self._tick(node)
            elif kind == EAGER:
                self._eager_armed[node] = 0
                self._not_before[node] = self.now + EAGER_INTERVAL
                self._burst(node)
            elif kind == PROBE:
                self._push(self.now + self._config.probe_interval, PROBE, node)
                self._send(node, self._next_probed(node), self._sizes.ping, PING)
            else:
                self._push(self.now + self._push_pull_interval, PUSH_PULL, node)
                self._exchange(node)
        self.now = end

    def spread(self, node: int) -> int:
        """A rumour is born at ``node``; its number."""
        rumour = len(self._knows)
        self._knows.append(bytearray(self.size))
        self._waiting.append(self.size)
        self._born.append(self.now)
        self._learn(node, rumour)
        return rumour

    # -- within

    def _push(
        self,
        when: float,
        kind: int,
        node: int,
        rumours: tuple[int, ...] = (),
        source: int = 0,
        carries: int = NOTHING,
    ) -> None:
        self._order += 1
        heappush(self._queue, _Event(when, self._order, kind, node, rumours, source, carries))

    def _stride(self) -> int:
        while True:
            stride = self._random.randrange(1, self.size)
            if gcd(stride, self.size) == 1:
                return stride

    def _next_probed(self, node: int) -> int:
        start, stride = self._probe[node]
        while True:
            target = (start + stride * self._probed[node]) % self.size
            self._probed[node] += 1
            if target != node:
                return target

    def _draw(self, node: int, count: int) -> list[int]:
        chosen = dict[int, None]()
        while len(chosen) < min(count, self.size - 1):
            other = self._random.randrange(self.size)
            if other != node:
                chosen[other] = None
        return list(chosen)

    def _partners(self, node: int) -> list[int]:
        count = self._config.gossip_nodes
        if not self._biased:
            return self._draw(node, count)
        return choose_partners(
            count,
            peers=self.size - 1,
            limit=self.pools.limit,
            connected=self.pools.peers(node),
            draw=lambda number: self._draw(node, number),
            random=self._random,
        )

    def _gossip(self, node: int) -> None:
        if self._pending[node]:
            for partner in self._partners(node):
                if not self._pending[node]:
                    break
                self._send(node, partner, 0, NOTHING)

    def _burst(self, node: int) -> None:
        """What was never sent goes to a fan-out, which counts as once."""
        pending = self._pending[node]
        fresh = tuple(rumour for rumour, left in pending.items() if left == self._transmits)
        if not fresh:
            return
        fit = self._fitting(self._sizes.room)
        news = fresh[-fit:]
        for rumour in news:
            pending[rumour] -= 1
        for partner in self._partners(node):
            self._carry(node, partner, self._packet_size(0, news), news, NOTHING)
        if len(fresh) > fit:
            self._arm_burst(node)

    def _arm_burst(self, node: int) -> None:
        if not self._eager_armed[node]:
            self._eager_armed[node] = 1
            self._push(max(self.now, self._not_before[node]), EAGER, node)

    def _fitting(self, room: int) -> int:
        return min(MAX_PARTS - 1, room // (self._sizes.rumour + PART_OVERHEAD))

    def _packet_size(self, size: int, rumours: tuple[int, ...]) -> int:
        return size + self._sizes.packet + len(rumours) * (self._sizes.rumour + PART_OVERHEAD)

    def _send(self, source: int, destination: int, size: int, carries: int) -> None:
        """A packet: a message of ``size`` bytes if any, and as many rumours as fit."""
        rumours = self._take(source, self._sizes.room - size)
        self._carry(source, destination, self._packet_size(size, rumours), rumours, carries)

    def _carry(
        self, source: int, destination: int, size: int, rumours: tuple[int, ...], carries: int
    ) -> None:
        self.bytes_sent += size
        delay = LATENCY
        if self.pools.use(source, destination):
            self.bytes_sent += self._sizes.handshake
            delay += DIAL_TRIPS * LATENCY
        self._push(self.now + delay, ARRIVAL, destination, rumours, source, carries)

    def _take(self, node: int, room: int) -> tuple[int, ...]:
        pending = self._pending[node]
        if not pending:
            return ()
        fit = self._fitting(room)
        taken = tuple(pending)
        if len(taken) > fit:  # those sent least, of these the newest
            taken = tuple(sorted(taken, key=lambda rumour: (-pending[rumour], -rumour))[:fit])
        for rumour in taken:
            pending[rumour] -= 1
            if not pending[rumour]:
                del pending[rumour]
        return taken

    def _arrived(self, event: _Event) -> None:
        node = event.node
        for rumour in event.rumours:
            if not self._knows[rumour][node]:
                self._learn(node, rumour)
        if event.carries == PING:
            self._send(node, event.source, self._sizes.ack, NOTHING)
        elif event.carries == EXCHANGE:
            self._carry(node, event.source, self._sizes.state, self._known(node), NOTHING)

    def _exchange(self, node: int) -> None:
        self._carry(node, self._draw(node, 1)[0], self._sizes.state, self._known(node), EXCHANGE)

    def _known(self, node: int) -> tuple[int, ...]:
        """What a push/pull tells, as far as it may be news to somebody."""
        return tuple(r for r, waiting in enumerate(self._waiting) if waiting and self._knows[r][node])

    def _learn(self, node: int, rumour: int) -> None:
        self._knows[rumour][node] = 1
        self._waiting[rumour] -= 1
        if not self._waiting[rumour]:
            self.times[rumour] = self.now - self._born[rumour]
        self._pending[node][rumour] = self._transmits
        self._tick(node)
        if self._eager:
            self._arm_burst(node)

    def _tick(self, node: int) -> None:
        """Arm the gossip clock, in its phase, while there is something to say."""
        if self._ticking[node] or not self._pending[node]:
            return
        self._ticking[node] = 1
        interval = self._config.gossip_interval
        wait = interval - (self.now - self._phase[node]) % interval
        if wait < interval / 100:  # the tick just done, but for rounding
            wait += interval
        self._push(self.now + wait, GOSSIP, node)
