"""The daemon's flags: Alertmanager 0.33's names, defaults and forms.

Flags of features that Tocsin does not support are accepted with their defaults only, so that none is ignored
silently.
"""

from __future__ import annotations

from tocsin.alerting.duration import format_go_duration
from tocsin.alerting.matcher import ParserMode
from tocsin.config.features import FEATURES
from tocsin.dataclass import dataclass
from tocsin.node.config.commandline import (
    bound,
    choice,
    creator_rule,
    decimal,
    duration,
    flag,
    integer,
    seconds_or_duration,
    switch,
)
from tocsin.node.config.peers import parse_dns_server
from tocsin.node.config.profile import parse_profile

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
LOG_LEVELS = ("debug", "info", "warn", "error")
LOG_FORMATS = ("logfmt", "json")
MEMBERSHIPS = ("gossip", "discovery")
TRANSPORTS = ("auto", "tls", "udp", "dtls", "udp-to-tls")


def _features(text: str) -> tuple[str, ...]:
    found = tuple(part for part in text.split(",") if part)
    for feature in found:
        if feature not in FEATURES:
            raise ValueError(f"unknown option {feature!r} for --enable-feature")
    if "classic-mode" in found and "utf8-strict-mode" in found:
        raise ValueError("classic-mode and utf8-strict-mode cannot both be enabled")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFlags:
    """Every flag. Durations are nanoseconds. Field names are the flags', ``.`` and ``-`` as ``_``."""

    config_file: str = flag("config.file", "alertmanager.yml", str, "Configuration file.")
    config_accept_unserved: bool = switch(
        "config.accept-unserved",
        False,
        "Take keys of the configuration file that this version does not serve, with a warning, instead of"
        " refusing them.",
    )
    storage_path: str = flag(
        "storage.path", "data/", str, "Folder for the silences and the notification log."
    )
    data_retention: int = duration("data.retention", 120 * HOUR, "How long to keep data for.", negative=True)
    data_maintenance_interval: int = duration(
        "data.maintenance-interval",
        15 * MINUTE,
        "Interval between garbage collection and snapshots of silences and notification log.",
    )
    silences_max_silences: int = flag(
        "silences.max-silences", 0, integer, "Maximum number of silences, expired ones included; 0: no limit."
    )
    silences_max_silence_size_bytes: int = flag(
        "silences.max-silence-size-bytes",
        0,
        integer,
        "Maximum size of a silence in bytes; 0: no limit.",
        aliases=("silences.max-per-silence-bytes",),  # as prometheus-operator writes it
    )
    log_silences: bool = switch(
        "log.silences", False, "Log each silence that is made, changed or ended at this node."
    )
    record_max_entries: int = flag(
        "record.max-entries",
        20000,
        bound,
        "Most flushes in the decision record, the newest stay; 0: keep no record.",
    )
    record_max_bytes: int = flag(
        "record.max-bytes", 33554432, bound, "Most bytes of the decision record; 0: keep no record."
    )
    record_max_age: int = duration(
        "record.max-age", 168 * HOUR, "How long a flush stays in the decision record; 0: no limit."
    )
    alerts_gc_interval: int = duration("alerts.gc-interval", 30 * MINUTE, "Interval between alert GC.")
    alerts_per_alertname_limit: int = flag(
        "alerts.per-alertname-limit",
        0,
        integer,
        "Maximum number of alerts of one alertname; 0: no limit.",
    )
    alerts_max_labels: int = flag(
        "alerts.max-labels", 1024, integer, "Most labels, and most annotations, of an alert; 0: no limit."
    )
    alerts_max_size_bytes: int = flag(
        "alerts.max-size-bytes",
        262144,
        integer,
        "Most bytes of an alert's labels and annotations together, as JSON; 0: no limit.",
    )
    dispatch_maintenance_interval: int = duration(
        "dispatch.maintenance-interval",
        30 * SECOND,
        "Accepted but ignored: empty aggregation groups are removed at once.",
    )
    dispatch_start_delay: int = duration(
        "dispatch.start-delay",
        0,
        "Minimum time from the start to the first dispatch; as Prometheus's --rules.alert.resend-delay.",
        negative=True,
    )
    dispatch_shadow: bool = switch(
        "dispatch.shadow", False, "Notify nobody: compare what would be sent with what the others send."
    )
    web_systemd_socket: bool = switch(
        "web.systemd-socket",
        False,
        "Use the listeners that systemd passes (socket activation) instead of --web.listen-address.",
    )
    web_listen_address: tuple[str, ...] = flag(
        "web.listen-address",
        (":9093",),
        str,
        "Address for API, metrics and web interface; repeatable.",
        repeatable=True,
    )
    web_config_file: str = flag(
        "web.config.file",
        "",
        str,
        "File that enables TLS, client certificates, passwords and headers for API, pages and metrics.",
    )
    web_external_url: str = flag("web.external-url", "", str, "URL under which others reach this node.")
    web_route_prefix: str = flag(
        "web.route-prefix", "", str, "Prefix of all paths; default: the path of --web.external-url."
    )
    web_get_concurrency: int = flag(
        "web.get-concurrency",
        0,
        integer,
        "GET requests processed at once; 0: the number of CPUs, at least 8.",
    )
    web_timeout: int = flag(
        "web.timeout",
        0,
        seconds_or_duration,
        "Timeout for HTTP requests; 0 or less: none.",
        show=format_go_duration,
    )
    web_cross_origin: str = flag(
        "web.cross-origin",
        "any",
        choice("cross-origin rule", ("any", "none")),
        "Web pages of other sites that may use the API: any, as with Alertmanager, or none.",
    )
    web_allowed_host: tuple[str, ...] = flag(
        "web.allowed-host",
        (),
        str,
        "Name or address, without port, by which clients may call this node; repeatable; default: any.",
        repeatable=True,
    )
    web_creator_from: str = flag(
        "web.creator-from",
        "",
        creator_rule,
        "Who makes silences: certificate (the common name of the client's), or header:NAME, which only a"
        " proxy in front can set; default: whoever the request names.",
    )
    web_read_only: bool = switch(
        "web.read-only", False, "Take alerts, and let API and pages change nothing else at this node."
    )
    web_max_event_streams: int = flag(
        "web.max-event-streams",
        128,
        bound,
        "Most event streams (of open pages) at once, half of them of one address, an eighth of one user.",
    )
    web_ui_path: str = flag("web.ui-path", "", str, "Accepted but ignored: the pages are part of Tocsin.")
    auto_gomemlimit_ratio: float = flag(
        "auto-gomemlimit.ratio", 0.9, decimal, "Accepted but ignored: it tunes Go's memory limit."
    )
    cluster_listen_address: str = flag(
        "cluster.listen-address", "0.0.0.0:9094", str, "Listen address for the cluster; empty: run alone."
    )
    cluster_advertise_address: str = flag(
        "cluster.advertise-address", "", str, "Address to advertise in the cluster."
    )
    cluster_peer_name: str = flag("cluster.peer-name", "", str, "Name in the cluster; default: a random one.")
    cluster_peer: tuple[str, ...] = flag(
        "cluster.peer",
        (),
        str,
        "Peer: host:port, dns+name:port, dnssrv+_service._proto.name or file:path; repeatable.",
        repeatable=True,
    )
    cluster_peer_timeout: int = duration(
        "cluster.peer-timeout", 15 * SECOND, "Time to wait between peers to send notifications."
    )
    cluster_peers_resolve_timeout: int = duration(
        "cluster.peers-resolve-timeout", 15 * SECOND, "Time to resolve the peers' names.", negative=True
    )
    cluster_discovery_interval: int = duration(
        "cluster.discovery-interval",
        15 * SECOND,
        "Interval between queries of the sources of peers (DNS, files).",
        zero=False,
    )
    cluster_dns_server: tuple[tuple[str, int], ...] = flag(
        "cluster.dns-server",
        (),
        parse_dns_server,
        "DNS server, ip:port, to ask for dns+ and dnssrv+ peers; default: the system's; repeatable.",
        repeatable=True,
    )
    cluster_membership: str = flag(
        "cluster.membership",
        "gossip",
        choice("cluster membership", MEMBERSHIPS),
        "How members are known: by gossip, or as discovery lists them.",
    )
    cluster_profile: str = flag(
        "cluster.profile",
        "",
        parse_profile,
        "Preset for a kind of network: lan, wan (sites far apart) or local; flags that are given win; "
        "default: Alertmanager's defaults.",
    )
    cluster_gossip_interval: int = duration(
        "cluster.gossip-interval", 200 * SECOND // 1000, "Interval between gossip messages.", zero=False
    )
    cluster_pushpull_interval: int = duration(
        "cluster.pushpull-interval", MINUTE, "Interval between full state exchanges.", zero=False
    )
    cluster_tcp_timeout: int = duration(
        "cluster.tcp-timeout",
        10 * SECOND,
        "Timeout of a stream's connection and of each read and write.",
        zero=False,
    )
    cluster_probe_timeout: int = duration(
        "cluster.probe-timeout",
        500 * SECOND // 1000,
        "Time to wait for the answer of a probed node.",
        zero=False,
    )
    cluster_probe_interval: int = duration(
        "cluster.probe-interval", SECOND, "Interval between probes.", zero=False
    )
    cluster_settle_timeout: int = duration(
        "cluster.settle-timeout",
        MINUTE,
        "Longest time to wait for the cluster to settle before notifying.",
        negative=True,
    )
    cluster_reconnect_interval: int = duration(
        "cluster.reconnect-interval", 10 * SECOND, "Interval between attempts to reach lost peers."
    )
    cluster_reconnect_timeout: int = duration(
        "cluster.reconnect-timeout", 6 * HOUR, "How long to attempt to reach a lost peer."
    )
    cluster_transport: str = flag(
        "cluster.transport",
        "auto",
        choice("cluster transport", TRANSPORTS),
        f"How peers are connected: {', '.join(TRANSPORTS)}; auto is tls with --cluster.tls-config, else udp, "
        "as in Alertmanager; tls insists on it; udp is clear text unless there is a keyring, "
        "dtls needs the extra tocsin[dtls], udp-to-tls is for moving from udp to tls.",
    )
    cluster_keyring_file: str = flag(
        "cluster.keyring-file",
        "",
        str,
        "File of the keys that seal the traffic of --cluster.transport=udp: a JSON list, base64, the first "
        "one seals. Changes at run time are written back to it.",
    )
    cluster_keyring_verify_incoming: bool = switch(
        "cluster.keyring-verify-incoming",
        True,
        "Refuse what no key has sealed; off only while a keyring is rolled out.",
    )
    cluster_keyring_verify_outgoing: bool = switch(
        "cluster.keyring-verify-outgoing", True, "Seal what is sent; off only while a keyring is rolled out."
    )
    cluster_tls_config: str = flag(
        "cluster.tls-config", "", str, "File that sets up mutual TLS within the cluster."
    )
    cluster_tls_bind_names: bool = switch(
        "cluster.tls-bind-names",
        False,
        "A peer's name in the cluster must be one of the names in its certificate.",
    )
    cluster_tocsin_protocol: bool = switch(
        "cluster.tocsin-protocol",
        True,
        "Share one connection with each peer that is a Tocsin node too; else speak Alertmanager's framing.",
    )
    cluster_allow_insecure_public_advertise_address_discovery: bool = switch(
        "cluster.allow-insecure-public-advertise-address-discovery",
        False,
        "Allow a public IP address to be found and advertised.",
    )
    cluster_label: str = flag(
        "cluster.label", "", str, "Text on each packet and stream that keeps clusters apart."
    )
    enable_feature: tuple[str, ...] = flag(
        "enable-feature",
        (),
        _features,
        f"Comma-separated features: {', '.join(FEATURES)}.",
        show=",".join,
    )
    log_level: str = flag(
        "log.level", "info", choice("log level", LOG_LEVELS), "Lowest severity that is logged."
    )
    log_format: str = flag("log.format", "logfmt", choice("log format", LOG_FORMATS), "logfmt or json.")

    @property
    def clear_text(self) -> bool:
        """Whether cluster traffic may leave this node unencrypted."""
        return self._unsealed(verify=self.cluster_keyring_verify_outgoing)

    @property
    def takes_clear_text(self) -> bool:
        """Whether unencrypted cluster traffic, which anybody may send, is taken."""
        return self._unsealed(verify=self.cluster_keyring_verify_incoming)

    def _unsealed(self, *, verify: bool) -> bool:
        unsealed = self.cluster_transport == "udp" and not (self.cluster_keyring_file and verify)
        return bool(self.cluster_listen_address) and (unsealed or self.cluster_transport == "udp-to-tls")

    @property
    def matcher_mode(self) -> ParserMode:
        """Which matcher syntax the features ask for."""
        if "classic-mode" in self.enable_feature:
            return ParserMode.CLASSIC
        return ParserMode.UTF8_STRICT if "utf8-strict-mode" in self.enable_feature else ParserMode.FALLBACK
