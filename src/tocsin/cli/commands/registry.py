"""All commands, and what they share. A new one is a module here and a line below."""

from __future__ import annotations

from typing import Final

from tocsin.cli.commandline.model import DURATION, EXISTING_FILE, SWITCH, Entry, Flag, Group, choice
from tocsin.client.dates import DEFAULT_LAYOUT

DEFAULT_URL: Final = "http://localhost:9093/"

ENTRIES: Final = (
    Entry(("alert", "query"), "commands.alert_query", "Show alerts.", default=True, amtool=True),
    Entry(("alert", "add"), "commands.alert_add", "Add an alert to a node.", amtool=True),
    Entry(("silence", "add"), "commands.silence_add", "Make a silence.", amtool=True),
    Entry(("silence", "expire"), "commands.silence_expire", "End silences.", amtool=True),
    Entry(("silence", "import"), "commands.silence_import", "Make silences from JSON.", amtool=True),
    Entry(("silence", "query"), "commands.silence_query", "Show silences.", default=True, amtool=True),
    Entry(("silence", "update"), "commands.silence_update", "Change silences.", amtool=True),
    Entry(("check-config",), "commands.check_config", "Check configuration files.", amtool=True),
    Entry(
        ("cluster", "show"), "commands.cluster_show", "Show the cluster's status.", default=True, amtool=True
    ),
    Entry(
        ("config", "show"), "commands.config_show", "Show a node's configuration.", default=True, amtool=True
    ),
    Entry(
        ("config", "routes", "show"),
        "commands.config_routes_show",
        "Draw the routing tree.",
        default=True,
        amtool=True,
    ),
    Entry(
        ("config", "routes", "test"),
        "commands.config_routes_test",
        "Say where an alert would go.",
        amtool=True,
    ),
    Entry(("certs", "init"), "certificates:INIT", "Make the authority."),
    Entry(("certs", "issue"), "certificates:ISSUE", "Issue a node's certificate and its tls.yml."),
    Entry(("certs", "renew"), "certificates:RENEW", "Issue a node a new certificate for the same hosts."),
    Entry(("certs", "revoke"), "certificates:REVOKE", "Revoke every certificate of a node."),
    Entry(("certs", "show"), "certificates:SHOW", "Show certificates and whether they fit."),
    Entry(("cluster", "tls-check"), "cluster:TLS_CHECK", "Show what TLS a node offers, and what would fail."),
    Entry(("keyring", "generate"), "keyring:GENERATE", "Make a key."),
    Entry(("keyring", "install"), "keyring:INSTALL", "Give every node a further key to open with."),
    Entry(("keyring", "list"), "keyring:LIST", "Show which node has which keys."),
    Entry(("keyring", "remove"), "keyring:REMOVE", "Have every node forget a key."),
    Entry(("keyring", "use"), "keyring:USE", "Have every node seal with a key."),
    Entry(("receiver", "test"), "receiver:TEST", "Send a test notification to a receiver."),
    Entry(("storage", "export"), "storage:EXPORT", "Write the files that Alertmanager reads."),
    Entry(("template", "test"), "template:TEST", "Compare the output of templates with what is expected."),
    Entry(("template", "render"), "commands.template_render", "Print what a template renders.", amtool=True),
    Entry(("cluster", "members"), "commands.cluster_members", "List the members."),
    Entry(("cluster", "forget"), "commands.cluster_forget", "Have the nodes forget a peer that is gone."),
    Entry(("cluster", "reachability"), "commands.cluster_reachability", "Show which node sees which."),
    Entry(("cluster", "rtt"), "commands.cluster_rtt", "Show how long peers take to answer."),
    Entry(("cluster", "monitor"), "commands.cluster_monitor", "Watch for changes in the cluster."),
    Entry(("silence", "ack"), "commands.silence_ack", "Silence what fires until it has ended."),
    Entry(("silence", "show"), "commands.silence_show", "Show silences in full, and what they silence."),
    Entry(("silence", "extend"), "commands.silence_extend", "Have silences last longer."),
    Entry(("silence", "export"), "commands.silence_export", "Write silences as JSON."),
    Entry(
        ("history", "notifications"), "commands.history:NOTIFICATIONS", "Show what was sent and what was not."
    ),
    Entry(("history", "alerts"), "commands.history:ALERTS", "Show alerts of the past."),
    Entry(("history", "silences"), "commands.history:SILENCES", "Show silences of the past."),
    Entry(("config", "diff"), "commands.config_diff", "Show what a new configuration changes."),
    Entry(
        ("shadow", "report"), "commands.shadow_report", "Show where a node in shadow differs from the others."
    ),
    Entry(("explain",), "commands.explain", "Show what became of an alert, and why."),
    Entry(("wait",), "commands.waiting", "Wait until a cluster is ready, complete or in agreement."),
    Entry(("lint",), "commands.lint", "Find what is valid but probably not intended."),
    Entry(("test",), "commands.routing_test", "Run tests of routing and muting."),
    Entry(("completion",), "commands.completion", "Print a script that completes command lines in a shell."),
    Entry(("manual",), "commands.manual", "Print manual pages."),
)

GROUPS: Final = (
    Group(("alert",), "Alerts."),
    Group(("silence",), "Silences."),
    Group(("history",), "Past notifications, alerts and silences of a node."),
    Group(("cluster",), "The cluster."),
    Group(("config",), "Configuration."),
    Group(
        ("config", "routes"),
        "The routing tree.",
        flags=(
            Flag("config.file", "A configuration file, instead of a node's", EXISTING_FILE, value="FILE"),
        ),
    ),
    Group(("template",), "Notification templates."),
    Group(("certs",), "A small certificate authority: make it once, issue a certificate to each node."),
    Group(
        ("keyring",),
        "The keys of a cluster that runs with --cluster.keyring-file: install the new one everywhere, use it,"
        " remove the old one. Keys are named by their fingerprints.",
    ),
    Group(("receiver",), "Receivers of notifications."),
    Group(("shadow",), "A node that decides as the others do, and sends nothing."),
    Group(("storage",), "The files of a node."),
)


def flags(*, version_check: bool) -> tuple[Flag, ...]:
    """Those of every command."""
    return (
        Flag("help", "Show help; --help-long shows that of all commands", SWITCH, short="h"),
        Flag("help-long", "Show help of all commands", SWITCH, hidden=True),
        Flag("help-man", "Print a manual page", SWITCH, hidden=True),
        Flag("date.format", "How dates are printed: a layout of Go's", default=DEFAULT_LAYOUT),
        Flag("verbose", "Accepted, as amtool has it; nothing more is printed", SWITCH, short="v"),
        Flag("alertmanager.url", "The node to ask", default=DEFAULT_URL),
        Flag(
            "output",
            "How results are printed: simple, extended or json",
            choice("simple", "extended", "json"),
            short="o",
            default="simple",
        ),
        Flag("timeout", "For the whole command", DURATION, default="30s"),
        Flag(
            "http.config.file",
            "An http_config as Prometheus has it: TLS, credentials, proxy",
            EXISTING_FILE,
            value="FILE",
        ),
        Flag(
            "version-check",
            "Warn where the node's version is another",
            SWITCH,
            default="true" if version_check else "false",
        ),
        Flag("enable-feature", "classic-mode or utf8-strict-mode, for matchers", default=""),
        Flag("version", "Print the version", SWITCH),
    )
