"""The node as Tocsin's own API sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from tocsin import __version__
from tocsin.alerting.alert import Alert
from tocsin.alerting.health import IntegrationHealth
from tocsin.alerting.labels import Labels
from tocsin.alerting.pipeline import MAX_WAITED_FOR
from tocsin.alerting.route import Route, RouteOptions
from tocsin.alerting.timestamp import SECOND, Nanoseconds, format_milliseconds
from tocsin.bounded import Touched
from tocsin.errors import ValidationError
from tocsin.node.acknowledging import GAUGES as ACKNOWLEDGEMENT_GAUGES
from tocsin.node.acknowledging import INTERVAL as ACKNOWLEDGEMENTS_INTERVAL
from tocsin.node.acknowledging import Acknowledging
from tocsin.node.config.receivers import ReceiverConfig
from tocsin.node.configuration import senders_to
from tocsin.node.events.hub import GAUGES as EVENT_GAUGES
from tocsin.node.events.hub import EventHub
from tocsin.node.events.watch import Watch
from tocsin.node.log import Logger
from tocsin.node.nodestatus import cluster_status_of
from tocsin.node.receivertests import GAUGES as RECEIVER_TEST_GAUGES
from tocsin.node.receivertests import ReceiverTests
from tocsin.node.web import external_url_of
from tocsin.notify.integrations.sender import Sender, SenderKey

if TYPE_CHECKING:  # Not needed by a node without a cluster, or that is never asked.
    from tocsin.alerting.explain.question import Question
    from tocsin.alerting.explain.story import Explanation
    from tocsin.alerting.record.model import FlushRecord
    from tocsin.alerting.shadow.shadow import Shadow
    from tocsin.models.cluster import Cluster, Connection, Member
    from tocsin.models.events import Kind
    from tocsin.models.status import Configuration
    from tocsin.node.cluster.nodeinfo import NodeInfo
    from tocsin.node.cluster.view import ClusterView
    from tocsin.node.explainer import Explainer
    from tocsin.node.metrics import Metrics
    from tocsin.node.parts import NodeParts


NODE_INFO_INTERVAL: Final[Nanoseconds] = 20 * SECOND
"""Nanoseconds between messages about this node to the other Tocsin nodes."""


class TocsinNodeBackend:
    """Implements :class:`tocsin.node.api.tocsin_v1.backend.TocsinBackend`."""

    def __init__(
        self, parts: NodeParts, explainer: Explainer, expire: Callable[[str], Awaitable[None]]
    ) -> None:
        """``expire`` ends a silence, by its id."""
        self._parts = parts
        self._explainer = explainer
        self._node_info = self._make_node_info()
        self.external_url = external_url_of(parts.flags)
        self.events = EventHub(
            Watch(self._touched, (("cluster", self._cluster), ("configuration", self.configuration))),
            lambda: format_milliseconds(parts.clock.now()),
            max_streams=parts.flags.web_max_event_streams,
        )
        self.acknowledging = Acknowledging(
            parts.alerts,
            parts.state.silences,
            parts.look_ups,
            expire=expire,
            wait=self._position_delay,
            clock=parts.clock,
            log=Logger("tocsin.acknowledgements", component="silences"),
        )
        self.periodic: Sequence[tuple[Nanoseconds, Callable[[], Coroutine[Any, Any, None]]]] = (
            (ACKNOWLEDGEMENTS_INTERVAL, self.end_acknowledgements),
            (NODE_INFO_INTERVAL, self.send_node_info),
        )
        """Periodic actions of the node, with their intervals."""
        self.receiver_tests = ReceiverTests(
            self._senders, parts.clock, Logger("tocsin.receivers", component="receivers")
        )

    def observe(self, metrics: Metrics) -> None:
        """Connect its counters to the metrics."""
        acknowledging, tests, events = self.acknowledging, self.receiver_tests, self.events
        metrics.watch_statistics(
            "acknowledgements", lambda: acknowledging.statistics, gauges=ACKNOWLEDGEMENT_GAUGES
        )
        metrics.watch_statistics("receiver_tests", lambda: tests.statistics, gauges=RECEIVER_TEST_GAUGES)
        metrics.watch_statistics("events", lambda: events.statistics, gauges=EVENT_GAUGES)
        metrics.watch_statistics("explain", lambda: self._explainer.statistics)

    def _senders(self, receiver: ReceiverConfig) -> dict[SenderKey, Sender]:
        parts = self._parts
        return senders_to(
            [receiver], parts.in_force.config.files, external_url=self.external_url, clock=parts.clock
        )

    def _position_delay(self) -> Nanoseconds:
        """How much later than the first member this node acts, for what one member should do."""
        cluster = self._parts.cluster
        if cluster is None:
            return 0
        return min(cluster.position, MAX_WAITED_FOR) * self._parts.flags.cluster_peer_timeout

    async def end_acknowledgements(self) -> None:
        """End those whose alerts have ended."""
        # Before that, alerts and silences may differ from other nodes'; in shadow the others do it.
        if self._parts.in_force.dispatching and self._parts.state.shadow is None:
            await self.acknowledging.evaluate()

    def _touched(self) -> Sequence[tuple[Kind, Touched[str] | Touched[int]]]:
        parts = self._parts
        return (
            ("alerts", parts.alerts.touched),
            ("silences", parts.state.silences.touched),
            ("notifications", parts.state.remembered.statistics.health.touched),
        )

    def _cluster(self) -> Hashable:
        """The state of the cluster whose changes are events."""
        status = cluster_status_of(self._parts.cluster, clear_text=self._parts.flags.clear_text)
        return status.status, tuple(status.peers), tuple(status.gaps), self.settled

    @property
    def features(self) -> Sequence[str]:
        """The features of ``--enable-feature``."""
        return sorted(self._parts.flags.enable_feature)

    @property
    def settled(self) -> bool:
        """Whether notifications may go out."""
        return self._parts.in_force.dispatching

    @property
    def shadow(self) -> Shadow | None:
        """The comparison of a node in shadow; None for any other."""
        return self._parts.state.shadow.machine if self._parts.state.shadow is not None else None

    @property
    def group_count(self) -> int:
        """Aggregation groups."""
        return len(self._parts.in_force.engine.dispatcher)

    def each_group(self) -> Iterator[tuple[Route, Labels, tuple[Alert, ...]]]:
        """The aggregation groups, in no order."""
        return self._parts.in_force.engine.dispatcher.each_group()

    @property
    def record_kept(self) -> bool:
        """Whether there is a decision record."""
        return self._parts.record.kept

    def records(self, before: int | None = None) -> AsyncIterator[tuple[int, FlushRecord]]:
        """The decision record, newest first, before a number."""
        return self._parts.record.read(before)

    def under_way(self) -> AsyncIterator[tuple[int, FlushRecord]]:
        """The flushes that have not ended."""
        return self._parts.record.under_way()

    def cluster(self) -> Cluster:
        """How it is protected, and who is missing or refused."""
        from tocsin.models.cluster import ALONE

        view = self._view()
        return view.cluster() if view is not None else ALONE

    def members(self) -> Sequence[Member]:
        """The members of the cluster."""
        view = self._view()
        return view.members() if view is not None else ()

    def forget_peer(self, peer: str) -> Sequence[str]:
        """Forget the lost peer of a name or address; its addresses. Raises ValidationError."""
        parts = self._parts
        if parts.cluster is None or parts.cluster.joining is None:
            raise ValidationError("this node has no cluster")
        if parts.cluster.settings.static_membership:
            raise ValidationError(
                "discovery lists who is a member (--cluster.membership=discovery): take it off that list"
            )
        return [str(address) for address in parts.cluster.joining.dismiss(peer)]

    def connections(self) -> Sequence[Connection]:
        """To peers, by TLS."""
        view = self._view()
        return view.connections() if view is not None else ()

    def _view(self) -> ClusterView | None:
        parts = self._parts
        if parts.cluster is None:
            return None
        from tocsin.node.cluster.view import ClusterView

        return ClusterView(
            parts.cluster,
            transport=parts.flags.cluster_transport,
            names_bound=parts.flags.cluster_tls_bind_names,
            clear_text=lambda: parts.flags.clear_text,
            about=self._node_info.of if self._node_info is not None else lambda _name: ("", ""),
        )

    def _make_node_info(self) -> NodeInfo | None:
        cluster = self._parts.cluster
        if cluster is None:
            return None
        from tocsin.node.cluster.nodeinfo import NodeInfo

        return NodeInfo(cluster, lambda: (__version__, str(self._parts.counts.config_hash)))

    async def send_node_info(self) -> None:
        """Announce this node's version and configuration to the other Tocsin nodes."""
        if self._node_info is not None:
            await self._node_info.send()

    def configuration(self) -> Configuration:
        """The configuration in force."""
        from tocsin.models.status import Configuration

        counts = self._parts.counts
        return Configuration(
            hash=str(counts.config_hash),
            loaded_at=format_milliseconds(int(counts.reload_time * 1000) * (SECOND // 1000)),
            successful=counts.reload_successful,
        )

    def health(self, receiver: str, kind: str, index: int) -> IntegrationHealth:
        """The outcomes of an integration's attempts."""
        return self._parts.in_force.engine.pipeline.statistics.health.of(receiver, kind, index)

    def doubts(self) -> Sequence[str]:
        """What is doubtful in the configuration in force, and in the certificates."""
        parts, view = self._parts, self._view()
        found = view.doubts() if view is not None else []
        if parts.state.shadow is not None and parts.state.shadow.doubt:
            found.insert(0, parts.state.shadow.doubt)
        if not parts.counts.reload_successful:
            found.append("the last reload failed; the configuration before it is in force: see the log")
        return (*found, *parts.in_force.config.all_warnings(parts.flags.data_retention))

    def route_muted_by(self, options: RouteOptions, at: Nanoseconds) -> Sequence[str]:
        """The time intervals that mute a route."""
        try:
            return self._parts.in_force.engine.pipeline.muted_by(options, at)
        except KeyError:  # A reload has removed a time interval since the route was asked for.
            return ()

    async def explain(self, question: Question, *, peers: bool, source: str) -> Explanation:
        """What became of alerts, and why."""
        return await self._explainer.explain(question, peers=peers, source=source)
