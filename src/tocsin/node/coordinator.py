"""Puts configurations in force: makes the engine of each, reloads, and holds it until the node may notify."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from tocsin.aio.joined import Joined
from tocsin.alerting.intent import KEY as INTENT_KEY
from tocsin.alerting.intent import Intents
from tocsin.alerting.muting import PatientMuter
from tocsin.alerting.nflog import LogReader
from tocsin.alerting.timestamp import Nanoseconds, in_seconds
from tocsin.errors import ClosedError, TocsinError
from tocsin.node.clock import ClockWatch
from tocsin.node.config.alertmanager import AlertmanagerConfig
from tocsin.node.decisionrecord import DecisionRecord
from tocsin.node.engine import Engine, EngineServices
from tocsin.node.log import Logger
from tocsin.node.lookups import LookUps
from tocsin.node.prepared import Prepared
from tocsin.node.routelabels import RouteLabels
from tocsin.node.state import OwnChanges
from tocsin.node.store.kinds import NOTIFICATIONS
from tocsin.node.web import external_url_of
from tocsin.notify.integrations.sender import Sender, SenderKey
from tocsin.notify.rendering import TemplateRenderer

if TYPE_CHECKING:  # Loaded only by a node with a cluster.
    from tocsin.node.cluster.cluster import Cluster


class Coordinator:
    """Puts one configuration in force after another, each with an engine of its own.

    Nobody is notified before :meth:`settle`, nor before ``--dispatch.start-delay`` is over.
    """

    def __init__(
        self,
        prepared: Prepared,
        *,
        cluster: Cluster | None,
        clock_watch: ClockWatch,
        silences: PatientMuter,
        notification_log: LogReader,
        intents: Intents,
        changes: OwnChanges,
        record: DecisionRecord,
        look_ups: LookUps,
    ) -> None:
        self._prepared = prepared
        self._flags = prepared.flags
        self._delayed = prepared.flags.dispatch_start_delay > 0
        self._delayed_until = time.monotonic_ns() + prepared.flags.dispatch_start_delay
        self._state = prepared.state
        self._cluster = cluster
        self._clock_watch = clock_watch
        self._record = record
        self._make_senders = prepared.make_senders
        self._log = Logger("tocsin.node")
        shadow = prepared.state.shadow is not None
        self._services = EngineServices(
            clock=prepared.clock,
            silences=silences,
            notification_log=notification_log,
            remembered=prepared.state.remembered,
            peer_timeout=prepared.flags.cluster_peer_timeout,
            random=random.Random(os.urandom(32)),
            log=Logger("tocsin.engine", component="dispatcher"),
            on_recorded=changes.notifications.keep if not shadow else lambda _entries: None,
            on_latency=self._observe_latency,
            intents=intents,
            on_announced=self._announced,
            around=prepared.recording.attempt,
            look_ups=look_ups,
            start_delay=self._delay_left,
            withhold=shadow,
        )
        self._settled = False
        self._closed = False
        self._begins_anew = False
        self._reloading = asyncio.Lock()
        self._reloads = Joined(self._reload)
        self.config: AlertmanagerConfig = prepared.config
        """The configuration in force."""
        self.engine = self._make_engine(self.config, self._make_senders(self.config))
        self._count_loaded()
        self.route_labels = self._make_route_labels()
        self.members_changed()

    @property
    def dispatching(self) -> bool:
        """Whether notifications may go out."""
        return self._settled and not self._delayed

    def close(self) -> None:
        """Put no further configuration in force."""
        self._closed = True

    # -- reloading

    async def reload(self) -> None:
        """Load the configuration file anew; the old configuration stays in force if it cannot be used."""
        await self._reloads.run()

    async def reload_on_signal(self) -> None:
        """For SIGHUP: reload, and only log what goes wrong."""
        if self._closed:
            return
        with suppress(TocsinError):  # reload() has logged it.
            await self.reload()

    async def _reload(self) -> None:
        async with self._reloading:
            try:
                config = await asyncio.to_thread(self._prepared.load)
                senders = await asyncio.to_thread(self._make_senders, config)
                if self._cluster is not None:
                    await (
                        self._cluster.reload_identity()
                    )  # The last step that can fail: before it nothing was changed.
                await self.engine.regroup(config, self._prepared.alerts)
                if self._closed:
                    raise ClosedError("the node is stopping")
                self._adopt(config, senders)
            except TocsinError as error:
                self._prepared.counts.reload_successful = False
                self._log.error("reloading failed; nothing was changed", err=str(error))
                raise

    async def watch_clock(self) -> None:
        """Start the alert flow anew, as after a reload, when the clock was set back: timers are at wall-clock
        times, so groups would be silent for as long. The notification log prevents repetitions. A node whose
        clock was far ahead has refused entries of others as expired, so it asks for them again.
        """
        if back := self._clock_watch.set_back_by():
            self._ask_again()
            self._log.warn("the clock was set back; regrouping all alerts", seconds=in_seconds(back))
            self._begins_anew = True
        if (
            self._begins_anew
        ):  # Retry until it succeeds: a file that the senders need may be missing for a while.
            async with self._reloading:
                senders = await asyncio.to_thread(self._make_senders, self.config)
                await self.engine.regroup(self.config, self._prepared.alerts)
                self._adopt(self.config, senders)
            self._begins_anew = False

    def _adopt(self, config: AlertmanagerConfig, senders: dict[SenderKey, Sender]) -> None:
        """Put a configuration in force. The old engine's attempts end by themselves."""
        old, self.engine = self.engine, self._make_engine(config, senders, self.engine)
        old.retire()
        if config is not self.config:  # Else the file was not read.
            self.config = config
            self._prepared.recording.configure(config)
            self._count_loaded()
        self.route_labels = self._make_route_labels()
        self.members_changed()
        if self.dispatching:
            self.engine.settle()

    def _make_engine(
        self, config: AlertmanagerConfig, senders: dict[SenderKey, Sender], previous: Engine | None = None
    ) -> Engine:
        shadow, decided = self._state.shadow, self._record.follow(config).decided
        return Engine(
            config,
            senders,
            self._services,
            on_decided=decided if shadow is None else shadow.follow(config, decided),
            previous=previous,
        )

    def _make_route_labels(self) -> RouteLabels:
        return RouteLabels(TemplateRenderer(self.config.files, external_url_of(self._flags)))

    def _count_loaded(self) -> None:
        self._prepared.counts.loaded(self.config, time.time())
        self._log.info("configuration loaded", file=self._flags.config_file)
        for warning in self.config.all_warnings(self._flags.data_retention):
            self._log.warn("configuration warning", warning=warning)

    def _observe_latency(self, integration: str, receiver: str, seconds: float, /) -> None:
        by_name = "receiver-name-in-metrics" in self._flags.enable_feature
        labels = (integration, receiver) if by_name else (integration,)
        self._prepared.metrics.timer("notification_latency_seconds", *labels).observe(seconds)

    # -- when the node may notify

    def settle(self) -> None:
        """The cluster has settled, or there is none."""
        self._settled = True
        if not self._delayed:
            if self._state.shadow is not None:
                self._state.shadow.begin()
            self.engine.settle()

    def _delay_left(self) -> Nanoseconds:
        """Nanoseconds left of ``--dispatch.start-delay``, by the monotonic clock: the wall clock may be set
        back."""
        return max(0, self._delayed_until - time.monotonic_ns()) if self._delayed else 0

    async def end_start_delay(self) -> None:
        """``--dispatch.start-delay``: until it is over alerts are taken in, and nobody is notified."""
        if not self._delayed:
            return
        await asyncio.sleep(in_seconds(self._delay_left()))
        self._delayed = False
        if self._settled:
            self.settle()

    def stalled(self, seconds: float) -> None:
        """The event loop stalled: the others took this node for dead, and sent its notifications."""
        if self._ask_again():
            self._log.warn("event loop stalled; exchanging state before notifying", seconds=round(seconds, 3))

    def _ask_again(self) -> bool:
        """Exchange states with the peers, and notify nobody until that is done."""
        if not self._settled or self._cluster is None or not self._cluster.settle_again():
            return False
        self._settled = False
        self.engine.unsettle()
        return True

    # -- what comes from the cluster, and goes to it

    def members_changed(self) -> None:
        """The node's position among the members may have changed."""
        if self._cluster is not None:
            standing, shadow = self._cluster.standing, self._state.shadow
            self.engine.set_members(*(standing if shadow is None else shadow.members(standing)))

    def merged(self, key: str) -> None:
        """State of a kind came from a peer."""
        if key == NOTIFICATIONS.key:
            self.engine.rearm()

    def intents_received(self, payload: bytes, source: str) -> None:
        """A peer says what it is about to notify."""
        self.engine.receive_intents(payload, source)

    def _announced(self, payloads: Sequence[bytes]) -> None:
        if self._cluster is not None:
            for payload in payloads:
                self._cluster.send_to_tocsin(INTENT_KEY, payload)
