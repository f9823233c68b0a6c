"""The metrics that a real Alertmanager 0.33.1 has.

Names, types, labels and buckets are its own, so that dashboards and alerting rules go on working. The
captured list is beside tests/unit/node/test_metrics.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from tocsin.dataclass import dataclass
from tocsin.node.store.kinds import KINDS
from tocsin.notify.integrations.base import FAILURES, REASONS
from tocsin.notify.integrations.registry import NAMES


@dataclass(frozen=True, slots=True)
class Family:
    """A metric whose value is read at each scrape. ``known``: label values that are shown from the
    start."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...] = ()
    known: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Timing:
    """A metric of durations or sizes that is observed as they happen. ``buckets`` empty: a summary."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    known: tuple[tuple[str, ...], ...] = ()


_BY_INTEGRATION: Final = tuple((kind,) for kind in NAMES)
_MESSAGE_KINDS: Final = (("full_state",), ("update",))
_STATE_KEYS: Final = tuple(sorted((key,) for key in KINDS))
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def _counter(
    name: str, text: str, labels: tuple[str, ...] = (), known: tuple[tuple[str, ...], ...] = ()
) -> Family:
    return Family(f"alertmanager_{name}", "counter", text, labels, known)


def _gauge(
    name: str, text: str, labels: tuple[str, ...] = (), known: tuple[tuple[str, ...], ...] = ()
) -> Family:
    return Family(f"alertmanager_{name}", "gauge", text, labels, known)


FEATURE_LABELS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "alert-names-in-metrics": {"alertmanager_alerts_limited_total": ("alertname",)},
    "group-key-in-metrics": {"alertmanager_alerts": ("group_key", "state")},
    "receiver-name-in-metrics": {
        "alertmanager_notifications_total": ("integration", "receiver_name"),
        "alertmanager_notifications_failed_total": ("integration", "receiver_name", "reason"),
        "tocsin_notification_failures_total": ("integration", "receiver_name", "reason"),
        "alertmanager_notification_requests_total": ("integration", "receiver_name"),
        "alertmanager_notification_requests_failed_total": ("integration", "receiver_name"),
        "alertmanager_notification_latency_seconds": ("integration", "receiver_name"),
    },
}
"""Labels that a feature of ``--enable-feature`` gives a family instead of its own."""

CLUSTER_ONLY: Final = ("cluster_", "peer_position", "oversize_", "oversized_")
"""Shown by a node with a cluster only. ``alertmanager_cluster_enabled`` is always shown."""
TLS_ONLY: Final = ("tls_transport_",)
"""Shown by a node whose peers are connected by TLS only."""

FAMILIES: Final = (
    # Alerts
    _gauge("alerts", "Alerts by state.", ("state",), (("active",), ("suppressed",), ("unprocessed",))),
    _counter("alerts_invalid_total", "Alerts refused by the API.", ("version",), (("v2",),)),
    _counter(
        "alerts_received_total",
        "Alerts accepted by the API.",
        ("status", "version"),
        (("firing", "v2"), ("resolved", "v2")),
    ),
    _gauge("alerts_per_alert_limit", "Limit of alerts with one name; 0 is none."),
    _counter(
        "alerts_subscriber_channel_writes_total",
        "Alerts handed to those parts that act on them.",
        ("subscriber",),
    ),
    _counter(
        "alerts_limited_total",
        "Alerts dropped since there were too many of their name.",
    ),
    # Configuration
    _gauge("config_hash", "A number that changes with the configuration; not a cryptographic hash."),
    _gauge("config_last_reload_success_timestamp_seconds", "When the configuration was last loaded."),
    _gauge("config_last_reload_successful", "1 if the last attempt to load the configuration succeeded."),
    _gauge("inhibition_rules", "Configured inhibition rules."),
    _gauge("integrations", "Configured integrations."),
    _gauge("receivers", "Configured receivers that routes use."),
    # Dispatch and notification
    _gauge("dispatcher_aggregation_groups", "Aggregation groups at present."),
    _counter(
        "dispatcher_aggregation_group_creation_given_up_total",
        "Alerts that got no group as others made it meanwhile; always 0, since groups are made one by one.",
    ),
    _counter(
        "dispatcher_aggregation_group_creation_retries_total",
        "Attempts to make a group that were repeated; always 0, since groups are made one by one.",
    ),
    _counter(
        "dispatcher_aggregation_group_limit_reached_total",
        "Times that an alert got no group for their number.",
    ),
    _counter("notifications_total", "Notifications attempted.", ("integration",), _BY_INTEGRATION),
    _counter(
        "notifications_failed_total",
        "Notifications given up.",
        ("integration", "reason"),
        tuple((kind, reason) for kind in NAMES for reason in REASONS),
    ),
    Family(
        "tocsin_notification_failures_total",
        "counter",
        "",  # as all of our own: own.txt
        ("integration", "reason"),
        tuple((kind, reason) for kind in NAMES for reason in FAILURES),
    ),
    Family("tocsin_shadow_notifications_total", "counter", "", ("result", "receiver")),
    _counter("notifications_suppressed_total", "Alerts kept out of notifications.", ("reason",)),
    _counter("notification_requests_total", "Requests to receivers.", ("integration",), _BY_INTEGRATION),
    _counter(
        "notification_requests_failed_total",
        "Requests to receivers that failed.",
        ("integration",),
        _BY_INTEGRATION,
    ),
    # Silences
    _gauge("silences", "Silences by state.", ("state",), (("active",), ("expired",), ("pending",))),
    _gauge("silences_state_size", "Silences held, expired ones included."),
    _counter(
        "silences_matcher_compile_errors_total",
        "Silences with matchers that cannot be used; always 0, since such a silence is never stored.",
        ("stage",),
        (("index",), ("load_snapshot",)),
    ),
    _gauge("silences_matcher_index_size", "Silences in the index of matchers."),
    _gauge("silences_version_index_size", "Silences in the index of versions."),
    _counter("silences_gc_errors_total", "Silences that garbage collection could not judge."),
    _counter("silences_gossip_messages_propagated_total", "Silences from peers that were relayed."),
    _counter("silences_maintenance_total", "Maintenance runs of the silences."),
    _counter("silences_maintenance_errors_total", "Maintenance runs of the silences that failed."),
    _counter("silences_queries_total", "Questions for silences."),
    _counter("silences_query_errors_total", "Questions for silences that failed."),
    _counter("silences_query_silences_scanned_total", "Silences evaluated to answer queries."),
    _counter(
        "silences_query_silences_skipped_total",
        "Silences left out as they had not changed since the last question for the same labels.",
    ),
    _gauge("silences_snapshot_size_bytes", "Size of the silences' last snapshot."),
    # Notification log
    _counter("nflog_gossip_messages_propagated_total", "Log entries from peers that were relayed."),
    _counter("nflog_maintenance_total", "Maintenance runs of the notification log."),
    _counter("nflog_maintenance_errors_total", "Maintenance runs of the notification log that failed."),
    _counter("nflog_queries_total", "Questions to the notification log."),
    _counter("nflog_query_errors_total", "Questions to the notification log that failed."),
    _gauge("nflog_snapshot_size_bytes", "Size of the notification log's last snapshot."),
    # Cluster
    _gauge("cluster_enabled", "1 if this node belongs to a cluster."),
    _gauge("cluster_members", "Members that are thought alive, this node included."),
    _gauge("cluster_failed_peers", "Peers that are thought lost and are being reconnected to."),
    _gauge("cluster_health_score", "Awareness of this node's own slowness; 0 is well."),
    _gauge("cluster_peer_info", "1, with this node's name in the cluster.", ("peer",)),
    _gauge("peer_position", "Position of this node among the members; it decides who notifies first."),
    _counter("cluster_alive_messages_total", "Alive messages accepted.", ("peer",)),
    _counter("cluster_peer_name_conflicts_total", "Times that two addresses claimed one name."),
    _counter("cluster_peers_joined_total", "Peers that joined."),
    _counter("cluster_peers_left_total", "Peers that left or died."),
    _counter("cluster_peers_update_total", "Peers that changed their meta data."),
    _counter("cluster_reconnections_total", "Reconnections to lost peers."),
    _counter("cluster_reconnections_failed_total", "Failed attempts to reconnect to a lost peer."),
    _counter("cluster_refresh_join_total", "Peers joined because their name led to a new address."),
    _counter("cluster_refresh_join_failed_total", "Failed attempts of that."),
    _gauge("cluster_messages_queued", "Changes waiting to be gossiped."),
    _counter("cluster_messages_pruned_total", "Changes dropped from a full queue."),
    _counter("cluster_messages_received_total", "State received.", ("msg_type",), _MESSAGE_KINDS),
    _counter(
        "cluster_messages_received_size_total", "Bytes of state received.", ("msg_type",), _MESSAGE_KINDS
    ),
    _counter("cluster_messages_sent_total", "State sent.", ("msg_type",), _MESSAGE_KINDS),
    _counter("cluster_messages_sent_size_total", "Bytes of state sent.", ("msg_type",), _MESSAGE_KINDS),
    _counter(
        "oversized_gossip_message_sent_total", "Large changes delivered directly.", ("key",), _STATE_KEYS
    ),
    _counter(
        "oversized_gossip_message_failure_total",
        "Large changes not delivered to a peer.",
        ("key",),
        _STATE_KEYS,
    ),
    _counter(
        "oversized_gossip_message_dropped_total",
        "Large changes dropped from a full queue.",
        ("key",),
        _STATE_KEYS,
    ),
    # TLS transport
    _counter("tls_transport_packet_bytes_received_total", "Bytes of packets received."),
    _counter("tls_transport_packet_bytes_sent_total", "Bytes of packets sent."),
    _counter("tls_transport_read_errors_total", "Connections from peers that ended in an error."),
    _counter("tls_transport_stream_connections_received_total", "Streams that peers opened."),
    _counter("tls_transport_stream_connections_sent_total", "Streams opened to peers."),
    # HTTP
    _gauge("http_requests_in_flight", "Requests in work.", ("method",), (("get",),)),
    _counter(
        "http_concurrency_limit_exceeded_total",
        "Requests refused for their number.",
        ("method",),
        (("get",),),
    ),
)

TIMINGS: Final = (
    Timing("alertmanager_dispatcher_alert_processing_duration_seconds", "Time to group an alert."),
    Timing(
        "alertmanager_http_request_duration_seconds",
        "Time to answer a request.",
        ("handler", "method", "code"),
        _SECONDS,
    ),
    Timing(
        "alertmanager_http_response_size_bytes",
        "Size of answers.",
        ("handler", "method"),
        (1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8),
    ),
    Timing("alertmanager_nflog_gc_duration_seconds", "Time of the notification log's garbage collection."),
    Timing("alertmanager_nflog_query_duration_seconds", "Time to ask the notification log.", (), _SECONDS),
    Timing("alertmanager_nflog_snapshot_duration_seconds", "Time to write the notification log's snapshot."),
    Timing(
        "alertmanager_notification_latency_seconds",
        "Time of a request to a receiver.",
        ("integration",),
        (1, 5, 10, 15, 20),
        _BY_INTEGRATION,
    ),
    Timing(
        "alertmanager_oversize_gossip_message_duration_seconds",
        "Time to deliver a large change.",
        ("key",),
        _SECONDS,
        _STATE_KEYS,
    ),
    Timing("alertmanager_silences_gc_duration_seconds", "Time of the silences' garbage collection."),
    Timing("alertmanager_silences_query_duration_seconds", "Time to ask for silences.", (), _SECONDS),
    Timing("alertmanager_silences_snapshot_duration_seconds", "Time to write the silences' snapshot."),
)
