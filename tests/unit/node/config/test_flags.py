"""The command line: Alertmanager's names, defaults and forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.alerting.matcher import ParserMode
from tocsin.errors import ConfigError
from tocsin.node.config.arguments import parse_flags
from tocsin.node.config.commandline import HelpRequested, UsageError, listen_address, split_host_port
from tocsin.node.config.flags import NodeFlags

SECOND = 1_000_000_000
ALONE = "--cluster.listen-address="


def parse(*argv: str) -> NodeFlags:
    return parse_flags([ALONE, *argv])


HELP_OF_ALERTMANAGER = [
    "config.file",
    "storage.path",
    "data.retention",
    "data.maintenance-interval",
    "silences.max-silences",
    "silences.max-silence-size-bytes",
    "log.silences",
    "alerts.gc-interval",
    "alerts.per-alertname-limit",
    "dispatch.maintenance-interval",
    "dispatch.start-delay",
    "web.systemd-socket",
    "web.listen-address",
    "web.config.file",
    "web.external-url",
    "web.route-prefix",
    "web.get-concurrency",
    "web.timeout",
    "web.ui-path",
    "auto-gomemlimit.ratio",
    "cluster.listen-address",
    "cluster.advertise-address",
    "cluster.peer-name",
    "cluster.peer",
    "cluster.peer-timeout",
    "cluster.peers-resolve-timeout",
    "cluster.gossip-interval",
    "cluster.pushpull-interval",
    "cluster.tcp-timeout",
    "cluster.probe-timeout",
    "cluster.probe-interval",
    "cluster.settle-timeout",
    "cluster.reconnect-interval",
    "cluster.reconnect-timeout",
    "cluster.tls-config",
    "cluster.allow-insecure-public-advertise-address-discovery",
    "cluster.label",
    "enable-feature",
    "log.level",
    "log.format",
    "version",
]
"""Of ``prometheus-alertmanager --help``, 0.33.1."""


def test_every_flag_of_alertmanager_is_known() -> None:
    with pytest.raises(HelpRequested) as caught:
        parse_flags(["--help"])
    for name in HELP_OF_ALERTMANAGER:
        assert f"--{name}" in caught.value.text or f"--[no-]{name}" in caught.value.text


def test_the_defaults() -> None:
    flags = parse()
    assert flags.config_file == "alertmanager.yml"
    assert flags.data_retention == 120 * 3600 * SECOND
    assert flags.web_listen_address == (":9093",)
    assert flags.cluster_gossip_interval == SECOND // 5
    assert flags.cluster_peer == ()
    assert flags.cluster_reconnect_timeout == 6 * 3600 * SECOND
    assert (flags.log_level, flags.log_format) == ("info", "logfmt")
    assert flags.matcher_mode is ParserMode.FALLBACK


def test_the_forms() -> None:
    flags = parse(
        "--data.retention=1m30s",
        "--cluster.peer-timeout",
        "2d",
        "--cluster.peer=a:1",
        "--cluster.peer",
        "[::1]:2",
        "--log.silences",
        "--log.level=WARN",
        "--enable-feature=utf8-strict-mode",
        "--web.listen-address=127.0.0.1:0",
    )
    assert flags.data_retention == 90 * SECOND
    assert flags.cluster_peer_timeout == 2 * 86_400 * SECOND
    assert flags.cluster_peer == ("a:1", "[::1]:2")
    assert flags.log_silences
    assert not parse("--no-log.silences").log_silences
    assert parse().cluster_tocsin_protocol
    assert not parse("--no-cluster.tocsin-protocol").cluster_tocsin_protocol
    assert flags.log_level == "warn"
    assert flags.matcher_mode is ParserMode.UTF8_STRICT
    assert flags.web_listen_address == ("127.0.0.1:0",)


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (["--foo"], "unknown long flag '--foo'"),
        (["--data.ret=5h"], "unknown long flag '--data.ret'"),
        (["--no-data.retention"], "unknown long flag '--no-data.retention'"),
        (["extra"], "unexpected extra"),
        (["--data.retention"], "expected argument for flag '--data.retention'"),
        (["--data.retention", "--log.silences"], "expected argument"),
        (["--data.retention=1h", "--data.retention=1h"], "flag 'data.retention' cannot be repeated"),
        (["--log.silences=false"], "--no-log.silences turns it off"),
    ],
)
def test_what_is_no_command_line(argv: list[str], problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(*argv)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("flag", "problem"),
    [
        ("--data.retention=5x", 'unknown unit "x"'),
        ("--data.retention=", "invalid duration"),
        ("--record.max-age=x", 'invalid duration "x" (as 30s, 5m, 1h30m or 7d)'),
        ("--cluster.peer-timeout=-1s", "below zero"),
        ("--cluster.probe-interval=0s", "cannot be zero"),
        ("--log.level=loud", "unrecognized log level loud"),
        ("--log.format=xml", "unrecognized log format xml"),
        ("--web.get-concurrency=a", "not a whole number"),
        ("--enable-feature=flying", "unknown option 'flying' for --enable-feature"),
        ("--enable-feature=classic-mode,utf8-strict-mode", "cannot both be enabled"),
        ("--web.listen-address=localhost", "missing port"),
        ("--web.listen-address=::1:9093", "too many colons"),
        ("--web.listen-address=[::1:1", "missing ']'"),
        ("--web.listen-address=[::1]x:1", "'x' after ']'"),
        ("--web.listen-address=a]:1", "unexpected ']'"),
        ("--web.listen-address=[[::1]]:1", "after ']'"),
        ("--web.listen-address=[::1]", "missing port"),
        ("--web.listen-address=a:no-such-service", "unknown port"),
        ("--web.listen-address=a:70000", "not a port"),
        ("--web.external-url=ftp://x", "only http and https"),
        ("--web.external-url=http://[::1", "is not a URL: Invalid IPv6 URL"),
        ("--web.external-url=http://h:99999/", "is not a URL: Port out of range"),
        ("--web.external-url=http://", "names no host"),
        ("--web.external-url=/path", "names no host"),
        ("--cluster.label=" + "x" * 256, "longer than 255 bytes"),
        ("--record.max-entries=-3", "'-3' is negative; 0 is the least"),
        ("--record.max-bytes=-1", "'-1' is negative"),
    ],
)
def test_a_bad_value_names_its_flag(flag: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(flag)
    assert str(caught.value).startswith(flag.partition("=")[0] + ": ")
    assert problem in str(caught.value)


def test_what_goes_unused_may_be_anything_and_two_dashes_end_the_flags() -> None:
    assert parse("--auto-gomemlimit.ratio=2", "--").auto_gomemlimit_ratio == 2
    assert parse("--web.external-url=HTTP://h").web_external_url == "HTTP://h"
    with pytest.raises(ConfigError, match=r"--auto-gomemlimit\.ratio: is not above 0 and at most 1"):
        parse("--auto-gomemlimit.ratio=0", "--enable-feature=auto-gomemlimit")
    with pytest.raises(UsageError):
        parse("--", "more")


def test_what_is_not_offered_is_taken_at_its_default() -> None:
    flags = parse("--no-web.systemd-socket", "--web.config.file=", "--dispatch.start-delay=0s")
    assert not flags.web_systemd_socket


@pytest.mark.parametrize(
    ("argv", "transport", "clear_text"),
    [
        ([], "udp", True),
        (["--cluster.transport=auto"], "udp", True),
        (["--cluster.transport=udp"], "udp", True),
        (["--cluster.keyring-file=k.json"], "udp", False),
        (["--cluster.keyring-file=k.json", "--no-cluster.keyring-verify-outgoing"], "udp", True),
        (["--cluster.tls-config=tls.yml"], "tls", False),
        (["--cluster.transport=udp-to-tls", "--cluster.tls-config=tls.yml"], "udp-to-tls", True),
        (["--cluster.listen-address="], "udp", False),
    ],
)
def test_the_transport_follows_from_the_tls_config(argv: list[str], transport: str, clear_text: bool) -> None:
    flags = parse_flags(argv)
    assert (flags.cluster_transport, flags.clear_text) == (transport, clear_text)


def test_tls_on_request_insists() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_flags(["--cluster.transport=tls"])
    for way_out in ("--cluster.tls-config=FILE", "--cluster.transport=udp", "--cluster.listen-address="):
        assert way_out in str(caught.value)


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("127.0.0.1:9094", ("127.0.0.1", 9094)),
        ("[127.0.0.1]:9094", ("127.0.0.1", 9094)),
        ("[localhost]:9094", ("localhost", 9094)),
        ("[]:9094", ("", 9094)),
        (":9094", ("", 9094)),
        ("[::]:+9094", ("::", 9094)),
        ("[fe80::1%eth0]:0009094", ("fe80::1%eth0", 9094)),
    ],
)
def test_an_address_is_split_as_go_splits_it(address: str, parts: tuple[str, int]) -> None:
    assert split_host_port("--cluster.listen-address", address) == parts


def test_a_port_to_listen_on_may_have_a_name_or_none() -> None:
    assert listen_address("--web.listen-address", "127.0.0.1:http") == ("127.0.0.1", 80)
    assert listen_address("--web.listen-address", "127.0.0.1:") == ("127.0.0.1", 0)


COMMAND_LINES = {
    "prometheus-operator, one replica": """
        --config.file=/etc/alertmanager/config_out/alertmanager.env.yaml --storage.path=/alertmanager
        --data.retention=120h --cluster.listen-address= --web.listen-address=:9093 --web.route-prefix=/
        --cluster.label=monitoring/main --cluster.peer=alertmanager-main-0.alertmanager-operated:9094
        --cluster.reconnect-timeout=5m --web.config.file=/etc/alertmanager/web_config/web-config.yaml""",
    "prometheus-operator, three replicas, with limits": """
        --config.file=/etc/alertmanager/config_out/alertmanager.env.yaml --storage.path=/alertmanager
        --data.retention=120h --cluster.listen-address=[10.1.2.3]:9094 --web.listen-address=:9093
        --web.external-url=http://alerts.example.org/am --enable-feature=classic-mode,auto-gomemlimit
        --web.route-prefix=/am --web.get-concurrency=10 --web.timeout=30 --silences.max-silences=1000
        --silences.max-per-silence-bytes=1048576 --dispatch.start-delay=30s --log.level=debug
        --log.format=json --cluster.gossip-interval=1s --cluster.pushpull-interval=30s
        --cluster.peer-timeout=10s --cluster.label=
        --cluster.peer=alertmanager-main-0.alertmanager-operated.monitoring.svc.cluster.local.:9094
        --cluster.peer=alertmanager-main-1.alertmanager-operated.monitoring.svc.cluster.local.:9094
        --cluster.reconnect-timeout=5m --web.config.file=/etc/alertmanager/web_config/web-config.yaml""",
    "prometheus-operator, IPv6 and mutual TLS": """
        --config.file=/etc/alertmanager/config_out/alertmanager.env.yaml --storage.path=/alertmanager
        --data.retention=120h --cluster.listen-address=[fd00::12]:9094 --web.listen-address=127.0.0.1:9093
        --web.route-prefix=/ --cluster.advertise-address=[fd00::12]:9094 --cluster.label=monitoring/main
        --cluster.peer=alertmanager-main-0.alertmanager-operated:9094 --cluster.reconnect-timeout=5m
        --web.config.file=/etc/alertmanager/web_config/web-config.yaml
        --cluster.tls-config=/etc/alertmanager/cluster_tls_config/cluster-tls-config.yaml""",
    "the community Helm chart": """
        --storage.path=/alertmanager --config.file=/etc/alertmanager/alertmanager.yml
        --cluster.advertise-address=[10.1.2.3]:9094 --cluster.listen-address=0.0.0.0:9094
        --cluster.peer=alertmanager-0.alertmanager-headless:9094
        --cluster.peer=alertmanager-1.alertmanager-headless:9094
        --web.external-url=http://alertmanager.example.org""",
    "the community Helm chart, one replica": """
        --storage.path=/alertmanager --config.file=/etc/alertmanager/alertmanager.yml
        --cluster.listen-address= --log.level=info""",
    "Debian's unit": """
        --config.file=/etc/prometheus/alertmanager.yml --storage.path=/var/lib/prometheus/alertmanager/""",
    "the container image": "--config.file=/etc/alertmanager/alertmanager.yml --storage.path=/alertmanager",
    "a compose file": """
        --config.file=/etc/alertmanager/config.yml --storage.path=/alertmanager
        --cluster.advertise-address=0.0.0.0:9093 --cluster.peer=alertmanager-1:9094""",
    "Alertmanager's own acceptance tests": """
        --config.file conf.yml --log.level debug --storage.path data --web.listen-address 127.0.0.1:0
        --cluster.listen-address 127.0.0.1:0 --cluster.settle-timeout=0s --enable-feature classic-mode
        --alerts.gc-interval=1s""",
    "an old systemd unit": """
        --config.file=/etc/alertmanager/alertmanager.yml --storage.path=/data --data.retention=5d
        --cluster.settle-timeout=-1s --web.timeout=-1s --no-log.silences""",
}


@pytest.mark.parametrize("name", COMMAND_LINES)
def test_the_command_lines_of_deployments_are_accepted(name: str) -> None:
    flags = parse_flags(COMMAND_LINES[name].split())
    if "with limits" in name:
        assert flags.web_timeout == 30 * SECOND
        assert flags.silences_max_silence_size_bytes == 1 << 20
        assert flags.dispatch_start_delay == 30 * SECOND


def test_arguments_come_from_a_file_too(tmp_path: Path) -> None:
    written = tmp_path / "arguments"
    written.write_text("# kingpin's form\n--log.level=debug\n\n--data.retention\n2h\n")
    assert parse(f"@{written}").data_retention == 7200 * SECOND
    with pytest.raises(UsageError, match="cannot read the arguments file"):
        parse(f"@{tmp_path / 'none'}")
    with pytest.raises(UsageError, match="cannot read the arguments file a\x00b: embedded null byte"):
        parse("@a\0b")


def test_some_durations_may_be_below_zero_and_are_zero_then() -> None:
    flags = parse("--data.retention=-1h", "--cluster.peers-resolve-timeout=-1s")
    assert (flags.data_retention, flags.cluster_peers_resolve_timeout) == (0, 0)
    assert parse("--web.timeout=-1s").web_timeout < 0, "none, as 0"


def test_an_unknown_flag_names_a_near_one() -> None:
    with pytest.raises(UsageError, match=r"did you mean --cluster\.peer$"):
        parse("--cluster.peers=a:1")


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), ("-1", -1), ("1_000", 1000), ("5.7", 5), ("1e3", 1000)]
)
def test_integers_are_read_as_kingpin_reads_them(text: str, value: int) -> None:
    assert parse(f"--silences.max-silences={text}").silences_max_silences == value


@pytest.mark.parametrize("flag", ["-h", "--help", "--help-long", "--version"])
def test_help_and_version(flag: str) -> None:
    with pytest.raises(HelpRequested) as caught:
        parse_flags([flag], version="tocsin 1")
    assert caught.value.text.startswith(("usage: tocsin", "tocsin 1"))


def test_a_keyring_belongs_to_udp() -> None:
    flags = parse_flags(["--cluster.transport=udp"])
    assert (flags.cluster_transport, flags.cluster_keyring_file) == ("udp", "")
    flags = parse_flags(["--cluster.transport=udp", "--cluster.keyring-file=keys.json"])
    assert flags.cluster_keyring_verify_incoming
    assert flags.cluster_keyring_verify_outgoing
    for arguments, place in (
        (["--cluster.transport=udp", "--cluster.tls-config=tls.yml"], "--cluster.tls-config"),
        (["--cluster.transport=udp", "--cluster.tls-bind-names"], "--cluster.tls-bind-names"),
        (["--cluster.tls-config=x", "--cluster.tls-bind-names"], "--cluster.tls-bind-names"),
        (["--cluster.tls-config=tls.yml", "--cluster.keyring-file=keys.json"], "--cluster.keyring-file"),
        (["--cluster.transport=udp-to-tls", "--cluster.keyring-file=keys.json"], "--cluster.keyring-file"),
        (["--cluster.transport=udp", "--no-cluster.keyring-verify-incoming"], "verify-incoming"),
        (["--cluster.transport=udp", "--no-cluster.keyring-verify-outgoing"], "verify-outgoing"),
    ):
        with pytest.raises(ConfigError) as caught:
            parse_flags(arguments)
        assert place in caught.value.location
        assert "\n" not in str(caught.value)


DEFAULTS = {"gossip": 0.2, "pushpull": 60, "tcp": 10, "probe_timeout": 0.5, "probe_interval": 1}


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], {}),
        (["--cluster.profile="], {}),
        (["--cluster.profile=lan"], {"pushpull": 30}),
        (["--cluster.profile=WAN"], {"tcp": 30, "probe_timeout": 1, "probe_interval": 2}),
        (
            ["--cluster.profile=local"],
            {"gossip": 0.1, "pushpull": 15, "tcp": 1, "probe_timeout": 0.2},
        ),
        (
            ["--cluster.probe-interval=7s", "--cluster.profile=wan", "--cluster.tcp-timeout=10s"],
            {"probe_timeout": 1, "probe_interval": 7},
        ),
    ],
)
def test_a_profile_changes_what_is_not_given(argv: list[str], expected: dict[str, float]) -> None:
    flags = parse(*argv)
    found = {
        "gossip": flags.cluster_gossip_interval,
        "pushpull": flags.cluster_pushpull_interval,
        "tcp": flags.cluster_tcp_timeout,
        "probe_timeout": flags.cluster_probe_timeout,
        "probe_interval": flags.cluster_probe_interval,
    }
    assert found == {name: round(each * SECOND) for name, each in (DEFAULTS | expected).items()}


def test_a_profile_that_is_none_names_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"--cluster\.profile.*moon.*lan, wan, local"):
        parse("--cluster.profile=moon")
