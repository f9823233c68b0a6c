"""What is not the same as in Alertmanager, and why. All else is "yes"."""

from __future__ import annotations

from typing import Final, NamedTuple


class Note(NamedTuple):
    """``verdict``: ``different`` or ``no``."""

    verdict: str
    why: str


_STORE: Final = Note("no", "secret stores are refused: Alertmanager itself has no provider for them")

FLAGS: Final[dict[str, Note]] = {
    "dispatch.maintenance-interval": Note("different", "ignored: empty groups are removed at once"),
    "web.ui-path": Note("different", "ignored: the pages are part of the program"),
    "auto-gomemlimit.ratio": Note("different", "ignored: it tunes Go's memory limit"),
    "help": Note("different", "`--help-long` and `--help-man` show the same text"),
    "config.file": Note(
        "different",
        "default `alertmanager.yml`, as upstream; Debian's package has its own. A regular file: a pipe,"
        " such as `/dev/stdin`, is refused",
    ),
    "storage.path": Note("different", "default `data/`, as upstream; a journal is kept beside the snapshots"),
    "web.timeout": Note("different", "bare seconds are taken too, as prometheus-operator writes them"),
    "cluster.peer": Note("different", "also `dns+`, `dnssrv+` and `file:`; names are looked up again"),
    "cluster.listen-address": Note("different", "a host name is taken too"),
    "cluster.tls-config": Note("different", "the same file; revocation lists and names are checked as well"),
    **dict.fromkeys(
        (
            "cluster.gossip-interval",
            "cluster.probe-interval",
            "cluster.probe-timeout",
            "cluster.pushpull-interval",
            "cluster.tcp-timeout",
        ),
        Note("different", "0, which turns it off upstream, is refused"),
    ),
    "log.format": Note("different", "the same forms; messages have their own words"),
    "web.config.file": Note("different", "the same file, without `RequireAnyClientCert`"),
}
"""By name."""

FEATURES: Final[dict[str, Note]] = {
    "auto-gomemlimit": Note("different", "ignored: it tunes Go's memory limit"),
}

KEYS: Final[dict[str, Note]] = {
    **dict.fromkeys(
        (
            "http_config.basic_auth username_ref",
            "http_config.basic_auth password_ref",
            "http_config.authorization credentials_ref",
            "http_config.oauth2 client_secret_ref",
            "http_config.oauth2 client_certificate_key_ref",
            "tls_config ca_ref",
            "tls_config cert_ref",
            "tls_config key_ref",
        ),
        _STORE,
    ),
    "sns_configs.sigv4 profile": Note("different", "of the shared files; one that borrows is not followed"),
    "sns_configs use_aws_http_client": Note("different", "taken; the client is the same either way"),
    "slack_configs update_message": Note("different", "an `app_token` without `api_url` will do"),
    "(file) tracing": Note("different", "with the extra `tocsin[tracing]`; [what is traced](tracing.md)"),
    "tracing tls_config": Note("different", "over gRPC without `insecure_skip_verify` and versions"),
    "event_recorder.file_outputs path": Note("different", "a moved file is followed with the next event"),
    "event_recorder.webhook_outputs workers": Note("different", "at most 64"),
    "rocketchat_configs link_names": Note("different", "taken, without effect, as in Alertmanager"),
}
"""By section and key."""

API: Final[dict[str, Note]] = {
    "POST /alerts answer 400": Note("different", "also for more labels or bytes than `--alerts.max-…` allow"),
    "POST /alerts answer 500": Note("different", "not given: 413 for a body that is too long"),
    "POST /silences answer 404": Note("different", "also 503 when the disk does not take the silence"),
    "DELETE /silence/{silenceID} answer 500": Note("different", "not given: 503 when the disk fails"),
    "GET /silence/{silenceID} answer 500": Note("different", "not given: nothing there can fail"),
    "GET /silences answer 500": Note("different", "not given: nothing there can fail"),
    "GET /alerts answer 500": Note("different", "not given: nothing there can fail"),
    "GET /alerts/groups answer 500": Note("different", "not given: nothing there can fail"),
    "field versionInfo has branch": Note("different", "`tocsin`"),
    "field versionInfo has revision": Note("different", "Tocsin's own version"),
    "field versionInfo has goVersion": Note("different", "Python's version"),
    "field versionInfo has buildDate": Note("different", "`n/a`"),
    "field versionInfo has buildUser": Note("different", "`tocsin`"),
}
"""By the line of the list."""

METRICS: Final[dict[str, Note]] = {
    "alertmanager_build_info": Note("different", "`revision`, `branch`, `goversion`, `tags` are Tocsin's"),
    "alertmanager_notifications_failed_total": Note(
        "different",
        "by the reasons of 0.33; by those of 0.34 (`authError`, `rateLimited`) in"
        " `tocsin_notification_failures_total`",
    ),
    "alertmanager_oversize_gossip_message_duration_seconds": Note(
        "different", "stays 0: large changes go as all others do, and no send of theirs is waited for"
    ),
    "alertmanager_oversized_gossip_message_sent_total": Note(
        "different", "changes above 700 bytes, for each member"
    ),
    "alertmanager_oversized_gossip_message_failure_total": Note("different", "batches, for each member"),
    "alertmanager_cluster_messages_sent_total": Note(
        "different", "batches: Tocsin joins the changes of a moment, and compares states by digest"
    ),
    "alertmanager_cluster_messages_queued": Note("different", "the sum over the members"),
    "alertmanager_dispatcher_aggregation_group_creation_retries_total": Note("different", "always 0"),
    "alertmanager_dispatcher_aggregation_group_creation_given_up_total": Note("different", "always 0"),
    "alertmanager_silences_matcher_compile_errors_total": Note(
        "different", "always 0: such a silence is refused before it is stored"
    ),
}
"""By name."""

FAMILIES: Final = (
    (
        "`alertmanager_event…` (under `event-recorder`)",
        Note("different", "a webhook is named without the path of its URL, which may be a secret"),
    ),
    ("`go_…`", Note("no", "of Go's runtime; `python_gc_…`, `tocsin_event_loop_…` show ours")),
    ("`net_conntrack_…`", Note("no", "of Go's HTTP client; see `alertmanager_notification_requests_…`")),
    ("`process_…`, `promhttp_…`", Note("yes", "")),
)
"""What the real one shows beside ``alertmanager_…``."""
