"""The composition root: the running node as one value, made of what was prepared, and taken apart again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from tocsin import __version__
from tocsin.aio import Tasks
from tocsin.alerting.alert import Alert
from tocsin.alerting.group import GroupView
from tocsin.alerting.intent import KEY as INTENT_KEY
from tocsin.alerting.intent import Intents
from tocsin.alerting.labels import Labels
from tocsin.alerting.silence import Silence, Silences
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.node.api.backend import ClusterStatus, VersionInfo
from tocsin.node.api.steps import run_steps
from tocsin.node.clock import ClockWatch
from tocsin.node.config.alertmanager import AlertmanagerConfig
from tocsin.node.coordinator import Coordinator
from tocsin.node.decisionrecord import DecisionRecord
from tocsin.node.engine import Engine
from tocsin.node.explainer import Explainer
from tocsin.node.garbage import HeapKeeper
from tocsin.node.log import Logger
from tocsin.node.lookups import LookUps
from tocsin.node.looplag import watch_stalls
from tocsin.node.maintenance import Maintenance
from tocsin.node.nodestatus import VERSION, cluster_status_of
from tocsin.node.observation import observe
from tocsin.node.parts import NodeParts
from tocsin.node.periodic import every
from tocsin.node.prepared import Prepared
from tocsin.node.queries import CountedLog, CountedMuter, Queries
from tocsin.node.state import make_changes
from tocsin.node.tocsinbackend import TocsinNodeBackend
from tocsin.node.web import Web

if TYPE_CHECKING:  # Loaded only by a node with a cluster.
    from tocsin.gossip.core.effects import UserMessage
    from tocsin.node.cluster.cluster import Cluster

STOP_GRACE: Final = 5.0
"""Seconds that notifications under way get when the node stops."""

CLOCK_INTERVAL: Final[Nanoseconds] = 5_000_000_000
"""Between checks of whether the wall clock was set back."""


class Node:
    """One Alertmanager-compatible node, whole. Implements :class:`tocsin.node.api.backend.Backend`.

    Made by :func:`start` on the event loop, of state that has been opened.
    """

    def __init__(self, prepared: Prepared) -> None:
        """:class:`~tocsin.errors.TocsinError` for what cannot be used."""
        flags = self.flags = prepared.flags
        self.clock = prepared.clock
        self.counts = prepared.counts
        self.metrics_registry = prepared.metrics
        self.alerts = prepared.alerts
        self.state = prepared.state
        self._recording = prepared.recording
        self._log = Logger("tocsin.node")
        self._clock_watch = ClockWatch(self.clock)
        self._started_at = self.clock.now()
        self._heap = HeapKeeper()
        self._stopping = False
        self._tasks = Tasks(lambda error: self._log.error("a task of the node failed", err=repr(error)))
        self._periodic: list[asyncio.Task[None]] = []
        self.silence_queries = Queries(self.metrics_registry.timer("silences_query_duration_seconds"))
        self.log_queries = Queries(self.metrics_registry.timer("nflog_query_duration_seconds"))
        self.look_ups = LookUps(self.silences)
        self._maintenance = Maintenance(
            self.state.store,
            self.state.kinds,
            counts=self.counts.maintenance,
            metrics=self.metrics_registry,
            clock=self.clock,
            log=self._log,
        )
        self.cluster = self._make_cluster()
        name = self.cluster.settings.name if self.cluster is not None else ""
        self.intents = Intents(name, now=self.clock.now()) if name else Intents()
        self.record = DecisionRecord(self.state.store, self.clock, name, self._log, self._recording)
        self.changes = make_changes(
            self.state, self.clock, self._broadcast, self._recording.silence, log_silences=flags.log_silences
        )
        shadow = self.state.shadow
        self._coordinator = Coordinator(
            prepared,
            cluster=self.cluster,
            clock_watch=self._clock_watch,
            silences=CountedMuter(self.silences, self.silence_queries),
            notification_log=CountedLog(shadow.machine if shadow else self.state.log, self.log_queries),
            intents=self.intents,
            changes=self.changes,
            record=self.record,
            look_ups=self.look_ups,
        )
        parts = NodeParts(
            flags=flags,
            clock=self.clock,
            counts=self.counts,
            alerts=self.alerts,
            state=self.state,
            look_ups=self.look_ups,
            record=self.record,
            cluster=self.cluster,
            in_force=self._coordinator,
        )
        self.explaining = Explainer(parts)
        self.tocsin = TocsinNodeBackend(parts, self.explaining, self.expire_silence)
        if self.cluster is not None:
            self.cluster.handlers[INTENT_KEY] = self._intents_received
        observe(
            self.metrics_registry,
            parts,
            queries={"silences": self.silence_queries, "nflog": self.log_queries},
            templates=prepared.templates,
            intents=self.intents,
        )
        self.tocsin.observe(self.metrics_registry)
        self._web = Web(flags, self, self.metrics_registry, self._recording.application)

    def _make_cluster(self) -> Cluster | None:
        """None for a node without a cluster. Nothing is called back before it is started."""
        if not self.flags.cluster_listen_address:
            return None
        from tocsin.node.cluster.assembly import make_cluster

        return make_cluster(
            self.flags,
            self.state.kinds,
            clock=self._clock_watch,
            on_members=lambda: self._coordinator.members_changed(),
            on_settled=lambda: self._coordinator.settle(),
            on_merged=lambda key: self._coordinator.merged(key),
            on_growth=lambda held: self._heap.entries(held + self.state.entries),
            remembered=self.state.store.meta,
            once_kept=self.state.relays.add,
            keep=self.state.store.remember,
        )

    # -- start and stop

    async def serve(self) -> None:
        """Serve, join. Returns once the HTTP interface answers; joining goes on beside it."""
        self._recording.start(lambda: self.engine.pipeline.position, self.metrics_registry)
        await self._web.start()
        self._heap.entries(self.state.entries)
        watch_stalls(self._coordinator.stalled)
        if self.cluster is None:
            self._coordinator.settle()
        else:
            await self.cluster.start()
            self.state.store.remember(self.cluster.remembered)
        periodic = [
            (self.flags.data_maintenance_interval, self._maintain),
            (self.flags.alerts_gc_interval, self._collect_alerts),
            (CLOCK_INTERVAL, self._watch_clock),
            *self.tocsin.periodic,
        ]
        self._periodic = [self._tasks.spawn(every(*each, self._log)) for each in periodic]
        self._periodic.append(self._tasks.spawn(self._coordinator.end_start_delay()))

    async def stop(self) -> None:
        """Stop serving, let notifications end, leave the cluster, keep the state. Bounded in time."""
        self._stopping = True
        self._coordinator.close()
        for task in self._periodic:
            task.cancel()
        self.tocsin.events.close()
        await self._web.stop()
        await self.engine.close(STOP_GRACE)
        if self.state.shadow is not None:
            self.state.shadow.close()
        await self.changes.notifications.drained()
        await self.state.relays.drained()
        await self._tasks.finished(STOP_GRACE)
        await self.explaining.close()
        if self.cluster is not None:
            await self.cluster.close()
        await self._maintain()
        await self.state.store.close()
        await self._recording.close()
        self._log.info("stopped")

    # -- the HTTP interface's view (Backend)

    @property
    def silences(self) -> Silences:
        """The cluster's, as this node knows them."""
        return self.state.silences

    @property
    def config(self) -> AlertmanagerConfig:
        """The configuration in force."""
        return self._coordinator.config

    @property
    def engine(self) -> Engine:
        """The alert flow of the configuration in force."""
        return self._coordinator.engine

    @property
    def version(self) -> VersionInfo:
        """The versions in ``/api/v2/status``."""
        return VERSION

    @property
    def started_at(self) -> Nanoseconds:
        """When this node was made."""
        return self._started_at

    @property
    def healthy(self) -> bool:
        """The process runs."""
        return True

    @property
    def ready(self) -> bool:
        """The HTTP interface is up; as in Alertmanager, the cluster need not have settled."""
        return not self._stopping

    @property
    def dispatching(self) -> bool:
        """Whether notifications may go out."""
        return self._coordinator.dispatching

    def now(self) -> Nanoseconds:
        """The wall clock."""
        return self.clock.now()

    def groups(self) -> Sequence[GroupView]:
        """The aggregation groups."""
        return self.engine.dispatcher.groups()

    def viewing_groups(self) -> Steps[Sequence[GroupView]]:
        """The same in steps."""
        return (yield from self.engine.dispatcher.viewing())

    def group_muted_by(self, group: GroupView) -> Sequence[str]:
        """The time intervals that mute a group."""
        try:
            return self.engine.pipeline.muted_by(group.route.options, self.now())
        except KeyError:  # A reload has removed a time interval since the group was asked for.
            return ()

    async def route_labels(self, group: GroupView) -> Mapping[str, str]:
        """The labels of a group's route, rendered."""
        return await self._coordinator.route_labels.of_group(group, self.now())

    def inhibited_by(self, labels: Labels, now: Nanoseconds) -> Sequence[str]:
        """Fingerprints of inhibiting alerts."""
        return self.engine.inhibitor.mutes(labels, now)

    def would_be_inhibited_by(self, labels: Labels, at: Nanoseconds) -> Sequence[str]:
        """Fingerprints of the alerts that inhibit ``labels`` at ``at``, which may be any time; without side
        effects."""
        return self.engine.inhibitor.would_mute(labels, at)

    def cluster_status(self) -> ClusterStatus:
        """Name, status and members."""
        return cluster_status_of(self.cluster, clear_text=self.flags.clear_text)

    async def set_silence(self, silence: Silence) -> str:
        """Create or change a silence, and broadcast it."""
        await run_steps(self.silences.letting_rest(self.now()))
        return await self.changes.silences.set(silence)

    async def import_silence(self, silence: Silence, signed_by: str) -> bool:
        """Import a silence under its own id, and broadcast it."""
        await run_steps(self.silences.letting_rest(self.now()))
        return await self.changes.silences.take_in(silence, signed_by)

    async def expire_silence(self, identifier: str) -> None:
        """Expire a silence, and broadcast it."""
        await self.changes.silences.expire(identifier)

    async def put_alerts(self, alerts: Sequence[Alert]) -> None:
        """Take in alerts."""
        accepted = self.alerts.put(alerts, self.now())
        began = time.perf_counter()
        self.engine.insert(accepted)
        self._recording.inserted(accepted, self.engine.dispatcher)
        self.counts.processed(len(accepted), time.perf_counter() - began)

    def alerts_received(self, *, firing: int, resolved: int, invalid: int) -> None:
        """Count a request's alerts."""
        self.counts.received["firing"] += firing
        self.counts.received["resolved"] += resolved
        self.counts.invalid += invalid

    async def reload(self) -> None:
        """Load the configuration file anew; the old configuration stays in force if it cannot be used."""
        await self._coordinator.reload()

    async def reload_on_signal(self) -> None:
        """For SIGHUP: reload, and only log what goes wrong."""
        await self._coordinator.reload_on_signal()

    def metrics(self, accept: str) -> Steps[tuple[bytes, str]]:
        """The metrics."""
        return self.metrics_registry.rendering(accept)

    # -- within

    def _intents_received(self, payload: bytes, event: UserMessage) -> None:
        self._coordinator.intents_received(payload, str(event.source))

    def _broadcast(self, key: str, changes: Sequence[bytes]) -> None:
        if self.cluster is not None:
            self.cluster.broadcast(key, changes)

    async def _watch_clock(self) -> None:
        await run_steps(self.silences.updating_clock(self.now()))
        await self._coordinator.watch_clock()

    async def _maintain(self) -> None:
        """Collect what has expired, write the snapshots, then clean the journal up."""
        await self._maintenance.run(self.cluster.remembered if self.cluster is not None else None)

    async def _collect_alerts(self) -> None:
        now = self.now()
        self.engine.inhibitor.gc(now)
        for removed in self.alerts.collecting(now):
            self.silences.forget(alert.fingerprint for alert in removed)
            self.engine.inhibitor.forget(removed)
            self.engine.dispatcher.forget(removed)
            await asyncio.sleep(0)


async def start(prepared: Prepared) -> Node:
    """Open the state, build the node, and have it serve.

    :class:`~tocsin.errors.TocsinError` if that cannot be done, with nothing left running.
    """
    Logger("tocsin.node").info("starting Tocsin", version=__version__)
    store = prepared.state.store
    try:
        await store.open(prepared.clock.now())
        node = Node(prepared)
    except BaseException:
        await store.close()
        raise
    try:
        await node.serve()
    except BaseException:
        await node.stop()
        raise
    return node
