"""Connects each metric to the node's number that it shows, which is read at each scrape."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tocsin.alerting.alert import Alert
from tocsin.alerting.intent import Intents
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass
from tocsin.node.cluster.identity_metrics import Waiting, observe_identity
from tocsin.node.cluster.ping_metrics import PingCollector
from tocsin.node.cluster.recommended import Recommended, peer_timeout
from tocsin.node.config.alertmanager import AlertmanagerConfig
from tocsin.node.configuration import TemplateStatistics
from tocsin.node.looplag import LagCollector, lag_of
from tocsin.node.metrics import Metrics
from tocsin.node.metrics.families import CLUSTER_ONLY, TLS_ONLY
from tocsin.node.queries import Queries
from tocsin.node.store.changes import RelayQueue
from tocsin.node.store.journal import GAUGES as JOURNAL_GAUGES
from tocsin.node.store.kinds import KINDS
from tocsin.node.store.records import GAUGES as RECORD_GAUGES
from tocsin.notify.integrations.base import FAILURES, REASONS, older_reason

if TYPE_CHECKING:
    from tocsin.node.cluster.cluster import Cluster
    from tocsin.node.parts import InForce, NodeParts

COUNTED_AT_ONCE: Final = 512
"""Alerts whose state is found in one step of a scrape."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """A view."""

    refused: Counter[str]
    """Packets, streams, messages and merges of peers, by the layer that refused them."""


@dataclass(frozen=True, slots=True)
class Protection:
    """A view."""

    clear_text: int
    """1 if cluster traffic may leave this node unencrypted."""


@dataclass(frozen=True, slots=True)
class Wholeness:
    """A view."""

    expected_members: int
    """Members, and peers that should be."""
    whole: int
    """1 if nobody is missing and all sources of peers answer."""
    unverified_peers: int
    """Missing for a certificate."""


def observe(
    metrics: Metrics,
    parts: NodeParts,
    *,
    queries: Mapping[str, Queries],
    templates: TemplateStatistics,
    intents: Intents,
) -> None:
    """Connect every metric to its number. ``queries`` has those of ``silences`` and of the ``nflog``."""
    counts, state, silences = parts.counts, parts.state, parts.state.silences
    watch = metrics.watch
    by_group = "group-key-in-metrics" in parts.flags.enable_feature
    metrics.watch_counted("alerts", lambda: _alerts_by_group(parts) if by_group else _alerts_by_state(parts))
    limit = parts.alerts.limit
    named = "alert-names-in-metrics" in parts.flags.enable_feature
    watch("alerts_per_alert_limit", lambda: limit.limit)
    watch("alerts_limited_total", lambda: limit.dropped if named else _unless_zero(limit.dropped.total()))
    watch("alerts_invalid_total", lambda: {"v2": counts.invalid})
    watch(
        "alerts_received_total",
        lambda: {(status, "v2"): count for status, count in counts.received.items()},
    )
    watch("alerts_subscriber_channel_writes_total", lambda: _written(counts.processed_alerts))
    metrics.watch_summary(
        "dispatcher_alert_processing_duration_seconds",
        lambda: (counts.processed_alerts, counts.processing_seconds),
    )
    for name, asked in queries.items():
        watch(f"{name}_queries_total", _reader(asked, "total"))
        watch(f"{name}_query_errors_total", _reader(asked, "errors"))
    watch("silences_query_silences_scanned_total", lambda: silences.scanned)
    watch("silences_query_silences_skipped_total", lambda: silences.skipped)
    watch("silences_matcher_index_size", lambda: len(silences))
    watch("silences_version_index_size", lambda: len(silences))
    watch("config_hash", lambda: counts.config_hash)
    watch("config_last_reload_success_timestamp_seconds", lambda: counts.reload_time)
    watch("config_last_reload_successful", lambda: int(counts.reload_successful))
    watch("inhibition_rules", lambda: len(parts.in_force.config.inhibit_rules))
    watch("receivers", lambda: len(list(parts.in_force.config.used_receivers)))
    watch("integrations", lambda: sum([len(r.integrations) for r in parts.in_force.config.used_receivers]))
    _observe_flow(metrics, parts.in_force)
    _observe_receivers(metrics, parts)
    watch(
        "silences",
        lambda: {state.value: count for state, count in silences.counts(parts.clock.now()).items()},
    )
    watch("silences_state_size", lambda: len(silences))
    for name, maintenance in counts.maintenance.items():
        watch(f"{name}_maintenance_total", _reader(maintenance, "runs"))
        watch(f"{name}_maintenance_errors_total", _reader(maintenance, "errors"))
        watch(f"{name}_snapshot_size_bytes", _reader(maintenance, "snapshot_bytes"))
    metrics.watch_statistics("look_ups", lambda: parts.look_ups.statistics)
    metrics.watch_statistics(
        "patterns",
        silences.pattern_statistics,
        gauges=("matchers", "size", "work", "parts", "slow", "resting_silences", "program_bytes"),
    )
    metrics.watch_statistics("template", lambda: templates)
    metrics.watch_statistics("receivers", lambda: parts.counts.clients)
    metrics.watch_statistics("journal", lambda: state.store.statistics, gauges=JOURNAL_GAUGES)
    metrics.watch_statistics("record", lambda: state.store.records.statistics, gauges=RECORD_GAUGES)
    if (shadow := state.shadow) is not None:
        watch("tocsin_shadow_notifications_total", shadow.counts)
        metrics.watch_statistics("shadow", lambda: shadow.machine.statistics, gauges=shadow.GAUGES)
    watch("cluster_enabled", lambda: int(parts.cluster is not None))
    lag = lag_of(asyncio.get_running_loop())
    if lag is not None:
        metrics.registry.register(LagCollector(lag))
    if parts.flags.cluster_transport == "udp":
        metrics.hide(TLS_ONLY)
    if parts.cluster is None:
        metrics.hide((*CLUSTER_ONLY, *TLS_ONLY))
    else:
        _observe_cluster(metrics, parts.cluster, state.relays, intents)
        metrics.watch_statistics(
            "cluster",
            lambda: _wholeness(parts.cluster),
            gauges=("expected_members", "whole", "unverified_peers"),
        )
        metrics.watch_statistics(
            "cluster_transport",
            lambda: Protection(int(parts.flags.clear_text)),
            gauges=("clear_text",),
        )
        metrics.watch_statistics(
            "cluster_recommended",
            lambda: _recommended(parts.cluster),
            gauges=("peer_timeout_seconds",),
        )


def _reader(thing: object, name: str) -> Callable[[], Any]:
    return lambda: getattr(thing, name)


def _observe_flow(metrics: Metrics, in_force: InForce) -> None:
    def flow(read: Callable[[Any], Any]) -> Callable[[], Any]:
        return lambda: read(in_force.engine)

    watch = metrics.watch
    watch("dispatcher_aggregation_groups", flow(lambda engine: len(engine.dispatcher)))
    watch(
        "dispatcher_aggregation_group_limit_reached_total",
        flow(lambda engine: engine.dispatcher.statistics.group_limit_reached),
    )
    watch("notifications_suppressed_total", flow(lambda engine: engine.pipeline.statistics.suppressed))
    metrics.watch_statistics(
        "remembered",
        lambda: in_force.engine.pipeline.remembered.counts,
        gauges=("ends", "timers", "unknown"),
    )


def _observe_receivers(metrics: Metrics, parts: NodeParts) -> None:
    by_name = "receiver-name-in-metrics" in parts.flags.enable_feature

    def reader(name: str, *, reasons: Sequence[str] = ()) -> Callable[[], Any]:
        def read() -> Mapping[Any, float]:
            statistics = parts.in_force.engine.pipeline.statistics
            if not by_name:
                return getattr(statistics, name)  # type: ignore[no-any-return]
            known = _known(parts.in_force.config, reasons)
            return {**dict.fromkeys(known, 0), **getattr(statistics.by_receiver, name)}

        return read

    metrics.watch("notifications_total", reader("notifications"))
    failures = reader("notifications_failed", reasons=FAILURES)
    metrics.watch("tocsin_notification_failures_total", failures)
    metrics.watch("notifications_failed_total", lambda: _older(failures()))
    metrics.watch("notification_requests_total", reader("requests"))
    metrics.watch("notification_requests_failed_total", reader("requests_failed"))
    if by_name:
        for labels in _known(parts.in_force.config):
            metrics.timer("notification_latency_seconds", *labels)


def _known(config: AlertmanagerConfig, reasons: Sequence[str] = ()) -> list[tuple[str, ...]]:
    """The kinds of integration and names of the receivers in use, with each reason."""
    pairs = [
        (each.kind, receiver.name) for receiver in config.used_receivers for each in receiver.integrations
    ]
    return [(*pair, reason) for pair in pairs for reason in reasons] if reasons else list(pairs)


def _older(failures: Mapping[tuple[str, ...], float]) -> Mapping[tuple[str, ...], float]:
    """Failures by the reasons of Alertmanager 0.33."""
    found: Counter[tuple[str, ...]] = Counter()
    for kind, *receiver, _ in failures:
        for reason in REASONS:
            found[(kind, *receiver, reason)] = 0
    for (kind, *receiver, reason), count in failures.items():
        found[(kind, *receiver, older_reason(kind, reason))] += int(count)
    return found


def _unless_zero(count: int) -> Mapping[tuple[str, ...], float]:
    return {(): count} if count else {}


def _written(count: int) -> Mapping[str, float]:
    """To dispatcher and inhibitor; they are not shown before the first alert, as in Alertmanager."""
    return dict.fromkeys(("dispatcher", "inhibitor"), count) if count else {}


def _observe_cluster(metrics: Metrics, cluster: Cluster, relays: RelayQueue, intents: Intents) -> None:
    watch = metrics.watch
    statistics, gossip, inbox = cluster.statistics, cluster.gossip, cluster.inbox.statistics
    endpoint = gossip.endpoint
    replication = cluster.replication
    outbound = replication.outbound
    transport = gossip.transport.statistics
    watch("cluster_members", lambda: len(gossip.members))
    watch("cluster_failed_peers", lambda: cluster.failed_peers)
    watch("cluster_health_score", lambda: endpoint.health_score)
    watch("cluster_peer_info", lambda: {cluster.settings.name: 1})
    watch("cluster_alive_messages_total", lambda: endpoint.of_peers.alive_messages)
    metrics.registry.register(PingCollector(endpoint.of_peers))
    watch("peer_position", lambda: cluster.position)
    watch("cluster_messages_queued", lambda: outbound.queued.changes)
    watch("cluster_messages_pruned_total", lambda: sum(outbound.statistics.dropped.values()))
    watch("cluster_messages_received_total", lambda: inbox.received)
    watch("cluster_messages_received_size_total", lambda: inbox.received_bytes)
    for key, kind in KINDS.items():
        watch(f"{kind.name}_gossip_messages_propagated_total", partial(inbox.propagated.__getitem__, key))
    for metric, name in (
        ("cluster_peer_name_conflicts_total", "name_conflicts"),
        ("cluster_peers_joined_total", "peers_joined"),
        ("cluster_peers_left_total", "peers_left"),
        ("cluster_peers_update_total", "peers_updated"),
        ("cluster_reconnections_total", "reconnections"),
        ("cluster_reconnections_failed_total", "reconnections_failed"),
        ("cluster_refresh_join_total", "refresh_joins"),
        ("cluster_refresh_join_failed_total", "refresh_joins_failed"),
    ):
        watch(metric, _reader(statistics, name))
    watch(
        "cluster_messages_sent_total",
        lambda: {"update": replication.statistics.batches, "full_state": statistics.full_states_sent},
    )
    watch(
        "cluster_messages_sent_size_total",
        lambda: {
            "update": replication.statistics.batch_bytes,
            "full_state": statistics.full_state_bytes_sent,
        },
    )
    watch("oversized_gossip_message_sent_total", lambda: outbound.statistics.sent_large)
    watch("oversized_gossip_message_failure_total", lambda: outbound.statistics.undelivered)
    watch("oversized_gossip_message_dropped_total", lambda: outbound.statistics.dropped_large)
    metrics.watch_statistics("replication", lambda: replication.statistics)
    metrics.watch_statistics("replication_changes", lambda: outbound.statistics)
    metrics.watch_statistics("resyncs", lambda: replication.resyncs.statistics)
    metrics.watch_statistics("replication_queue", lambda: outbound.queued, gauges=("changes", "bytes"))
    metrics.watch_statistics("replication_relays", lambda: relays.statistics)
    metrics.watch_statistics("intent", lambda: intents.statistics)
    metrics.watch_statistics("gossip", lambda: gossip.statistics)
    metrics.watch_statistics("gossip_driver", lambda: gossip.driver_statistics)
    metrics.watch_statistics(
        "discovery",
        lambda: cluster.joining.discovery.statistics if cluster.joining is not None else None,
        gauges=("targets", "fading", "sources_failing", "restored"),
    )
    metrics.watch_statistics("cluster_inbox", lambda: inbox)
    metrics.watch_statistics("cluster_log", lambda: cluster.log_statistics)
    metrics.watch_statistics("cluster", lambda: Refusals(statistics.refused))
    if cluster.keyring_service is not None:
        service = cluster.keyring_service
        metrics.watch_statistics("keyring", lambda: service.statistics)
    metrics.watch_statistics("anti_entropy", lambda: cluster.convergence.anti_entropy.statistics)
    observe_identity(metrics, gossip)
    metrics.watch_statistics("gossip_newcomers", lambda: Waiting(endpoint.newcomers), gauges=("waiting",))
    watch("tls_transport_packet_bytes_received_total", lambda: transport.packet_bytes_received)
    watch("tls_transport_packet_bytes_sent_total", lambda: transport.packet_bytes_sent)
    watch("tls_transport_read_errors_total", lambda: transport.frames_refused)
    watch("tls_transport_stream_connections_received_total", lambda: transport.streams_accepted)
    watch("tls_transport_stream_connections_sent_total", lambda: transport.streams_opened)
    metrics.watch_statistics(
        "transport",
        lambda: transport,
        gauges=(
            "connections_inbound",
            "connections_mux",
            "connections_open",
            "connections_outbound",
            "handshakes_inbound_pending",
            "peers_in_clear",
            "receive_buffer_bytes",
        ),
    )
    for name, (part, gauges) in transport.parts().items():
        metrics.watch_statistics(f"transport_{name}", partial(_itself, part), gauges=gauges)


def _wholeness(cluster: Cluster | None) -> Wholeness | None:
    if cluster is None:
        return None
    gaps = cluster.gaps
    return Wholeness(len(cluster.gossip.members) + len(gaps.peers), int(gaps.whole), gaps.unverified)


def _recommended(cluster: Cluster | None) -> Recommended | None:
    if cluster is None:
        return None
    endpoint = cluster.gossip.endpoint
    bounds = [endpoint.of_peers.bound(member.name) for member in endpoint.members()]
    return Recommended(peer_timeout(bounds, cluster.settings.gossip.gossip_interval))


def _itself(thing: object) -> object:
    return thing


def _alerts_by_state(parts: NodeParts) -> Steps[Mapping[str, float]]:
    """Firing alerts by state. Which are suppressed is looked up at each scrape only."""
    found = {"active": 0.0, "suppressed": 0.0, "unprocessed": 0.0}
    now = parts.clock.now()
    for place, alert in enumerate(parts.alerts.all(), 1):
        if place % COUNTED_AT_ONCE == 0:
            yield
            now = parts.clock.now()
        if not alert.resolved_at(now):
            found[_state_of(parts, alert, now)] += 1
    return found


def _state_of(parts: NodeParts, alert: Alert, now: Nanoseconds) -> str:
    if parts.in_force.engine.inhibitor.mutes(alert.labels, now):
        return "suppressed"
    if parts.state.silences.looking_up(alert.labels) is not None:
        return "unprocessed"
    return "suppressed" if parts.state.silences.is_muted(alert.labels, now) else "active"


def _alerts_by_group(parts: NodeParts) -> Steps[Mapping[tuple[str, ...], float]]:
    """The same for each aggregation group, by its key and state."""
    found: dict[tuple[str, ...], float] = {}
    place, now = 0, parts.clock.now()
    for group in (yield from parts.in_force.engine.dispatcher.viewing()):
        for state in ("active", "suppressed", "unprocessed"):
            found[group.key, state] = 0
        for alert in group.alerts:
            place += 1
            if place % COUNTED_AT_ONCE == 0:
                yield
                now = parts.clock.now()
            if not alert.resolved_at(now):
                found[group.key, _state_of(parts, alert, now)] += 1
    return found
