"""The command line: Alertmanager's names, defaults and forms."""

from __future__ import annotations

import pytest

from tocsin.alerting.matcher import ParserMode
from tocsin.errors import ConfigError
from tocsin.node.config.flags import HelpRequested, NodeFlags, UsageError, parse_flags

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
        ("--cluster.peer-timeout=-1s", "below zero"),
        ("--cluster.probe-interval=0s", "cannot be zero"),
        ("--log.level=loud", "unrecognized log level loud"),
        ("--log.format=xml", "unrecognized log format xml"),
        ("--web.get-concurrency=a", "not a whole number"),
        ("--enable-feature=flying", "unknown option 'flying' for --enable-feature"),
        ("--enable-feature=event-recorder", "not offered by this version"),
        ("--enable-feature=receiver-name-in-metrics", "not offered by this version"),
        ("--enable-feature=classic-mode,utf8-strict-mode", "cannot both be enabled"),
        ("--web.listen-address=localhost", "missing port"),
        ("--web.listen-address=::1:9093", "too many colons"),
        ("--web.listen-address=[x]:1", "not an IPv6 address"),
        ("--web.listen-address=a:70000", "not a port"),
        ("--web.external-url=ftp://x", "only http and https"),
        ("--web.external-url=http://[::1", "is no URL: Invalid IPv6 URL"),
        ("--web.external-url=http://h:99999/", "is no URL: Port out of range"),
        ("--web.external-url=http://", "names no host"),
        ("--web.external-url=/path", "names no host"),
        ("--web.systemd-socket", "socket activation is not offered"),
        ("--dispatch.start-delay=1s", "not offered by this version"),
        ("--cluster.label=" + "x" * 256, "longer than 255 bytes"),
        ("--auto-gomemlimit.ratio=2", "at most 1"),
    ],
)
def test_a_bad_value_names_its_flag(flag: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(flag)
    assert str(caught.value).startswith(flag.partition("=")[0] + ": ")
    assert problem in str(caught.value)


def test_what_is_not_offered_is_taken_at_its_default() -> None:
    flags = parse("--no-web.systemd-socket", "--web.config.file=", "--dispatch.start-delay=0s")
    assert not flags.web_systemd_socket


def test_cluster_traffic_is_never_in_the_clear() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_flags([])
    for way_out in ("--cluster.tls-config=FILE", "--cluster.transport=udp", "--cluster.listen-address="):
        assert way_out in str(caught.value)
    flags = parse_flags(["--cluster.tls-config=tls.yml"])
    assert flags.cluster_listen_address == "0.0.0.0:9094"


@pytest.mark.parametrize("flag", ["-h", "--help", "--help-long", "--version"])
def test_help_and_version(flag: str) -> None:
    with pytest.raises(HelpRequested) as caught:
        parse_flags([flag], version="tocsin 1")
    assert caught.value.text.startswith(("usage: tocsin", "tocsin 1"))


def test_clear_text_is_asked_for_in_words_and_a_keyring_belongs_to_it() -> None:
    flags = parse_flags(["--cluster.transport=udp"])
    assert (flags.cluster_transport, flags.cluster_keyring_file) == ("udp", "")
    flags = parse_flags(["--cluster.transport=udp", "--cluster.keyring-file=keys.json"])
    assert flags.cluster_keyring_verify_incoming
    assert flags.cluster_keyring_verify_outgoing
    for arguments, place in (
        (["--cluster.transport=udp", "--cluster.tls-config=tls.yml"], "--cluster.tls-config"),
        (["--cluster.transport=udp", "--cluster.tls-bind-names"], "--cluster.tls-bind-names"),
        (["--cluster.tls-config=tls.yml", "--cluster.keyring-file=keys.json"], "--cluster.keyring-file"),
        (["--cluster.keyring-file=keys.json"], "--cluster.keyring-file"),
        (["--cluster.transport=udp-to-tls", "--cluster.keyring-file=keys.json"], "--cluster.keyring-file"),
        (["--cluster.transport=udp", "--no-cluster.keyring-verify-incoming"], "verify-incoming"),
        (["--cluster.transport=udp", "--no-cluster.keyring-verify-outgoing"], "verify-outgoing"),
    ):
        with pytest.raises(ConfigError) as caught:
            parse_flags(arguments)
        assert place in caught.value.place
        assert "\n" not in str(caught.value)
