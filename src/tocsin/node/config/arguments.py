"""The daemon's command line: read, and refused where a value or a pair of flags could not work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from tocsin.errors import ConfigError
from tocsin.node.config.commandline import (
    declared_flags,
    listen_address,
    parse_arguments,
    parse_flag_duration,
    split_host_port,
)
from tocsin.node.config.flags import NodeFlags
from tocsin.node.config.peers import parse_peer
from tocsin.node.config.profile import implied

_EXTERNAL: Final = "write https://host[:port][/path]"


def parse_flags(argv: Sequence[str], *, version: str = "") -> NodeFlags:
    """The flags of ``argv`` (without the program's name).

    ``--cluster.transport=auto`` is resolved: the flags returned name the transport that is used.

    :class:`~tocsin.node.config.commandline.UsageError` for an unknown flag, a missing argument, a repeated
    flag or an unexpected argument;
    :class:`~tocsin.errors.ConfigError` (1) for a value that cannot be used;
    :class:`~tocsin.node.config.commandline.HelpRequested` (0), its text to be printed.
    """
    flags = parse_arguments(NodeFlags, argv, program="tocsin", version=version, implied=implied)
    if flags.cluster_transport == "auto":
        flags = replace(flags, cluster_transport="tls" if flags.cluster_tls_config else "udp")
    _check(flags)
    below: dict[str, Any] = {
        declared.name: 0
        for declared, found in declared_flags(NodeFlags).values()
        if found.negative and getattr(flags, declared.name) < 0
    }
    return replace(flags, **below)


def _check(flags: NodeFlags) -> None:
    for name, (declared, found) in declared_flags(NodeFlags).items():
        if found.parse is parse_flag_duration:
            value = getattr(flags, declared.name)
            if value < 0 and not found.negative:
                raise ConfigError(f"--{name}", "a duration below zero", "give 0 or more")
            if value == 0 and not found.zero:
                raise ConfigError(f"--{name}", "cannot be zero", "leave it out")
    if len(flags.cluster_label.encode()) > 255:
        raise ConfigError("--cluster.label", "is longer than 255 bytes", "shorten it")
    for address in flags.web_listen_address:
        listen_address("--web.listen-address", address)
    _check_external_url(flags.web_external_url)
    if "auto-gomemlimit" in flags.enable_feature and not 0 < flags.auto_gomemlimit_ratio <= 1:
        raise ConfigError("--auto-gomemlimit.ratio", "is not above 0 and at most 1", "leave it out")
    if flags.cluster_listen_address:
        _check_cluster(flags)


def _check_cluster(flags: NodeFlags) -> None:
    split_host_port("--cluster.listen-address", flags.cluster_listen_address)
    if flags.cluster_advertise_address:
        split_host_port("--cluster.advertise-address", flags.cluster_advertise_address)
    for peer in flags.cluster_peer:
        if peer:
            parse_peer(peer)
    if flags.cluster_membership == "discovery" and not any(flags.cluster_peer):
        raise ConfigError(
            "--cluster.membership", "discovery without any peer to discover", "add --cluster.peer"
        )
    _check_protection(flags)


def _check_protection(flags: NodeFlags) -> None:
    """Refuse flags that would have no effect or could not work together."""
    if flags.cluster_tls_bind_names and not flags.cluster_peer_name:
        raise ConfigError(
            "--cluster.tls-bind-names",
            "without --cluster.peer-name this node would call itself by a name that is in no certificate",
            "set --cluster.peer-name to a name in this node's certificate",
        )
    if flags.cluster_transport == "udp":
        if flags.cluster_tls_config:
            raise ConfigError(
                "--cluster.tls-config",
                "--cluster.transport=udp does not speak TLS",
                "leave one of the two out; --cluster.transport=udp-to-tls speaks both for a while",
            )
        if flags.cluster_tls_bind_names:
            raise ConfigError(
                "--cluster.tls-bind-names",
                "--cluster.transport=udp knows no certificates, so no name can be bound to one",
                "leave one of the two out",
            )
    elif flags.cluster_keyring_file:
        moving = flags.cluster_transport == "udp-to-tls"
        raise ConfigError(
            "--cluster.keyring-file",
            f"--cluster.transport={flags.cluster_transport} "
            + ("speaks TLS or clear text, and uses no keyring" if moving else "has its own encryption"),
            "take the keyring off the whole cluster first, by its verify switches"
            if moving
            else "leave it out, or choose --cluster.transport=udp",
        )
    elif not flags.cluster_tls_config:
        raise ConfigError(
            "--cluster.listen-address",
            f"--cluster.transport={flags.cluster_transport} needs a --cluster.tls-config",
            "add --cluster.tls-config=FILE for mutual TLS, or --cluster.transport=udp for memberlist's own "
            "(clear text unless --cluster.keyring-file is given); --cluster.listen-address= runs alone",
        )
    if not flags.cluster_keyring_file:
        for name in ("incoming", "outgoing"):
            if not getattr(flags, f"cluster_keyring_verify_{name}"):
                raise ConfigError(
                    f"--no-cluster.keyring-verify-{name}", "there is no --cluster.keyring-file", "add one"
                )


def _check_external_url(url: str) -> None:
    if "://" in url and url.partition("://")[0].lower() not in ("http", "https"):
        raise ConfigError("--web.external-url", "only http and https are supported", "begin with https://")
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        named = not url or (parts.hostname and parts.port != 0)
    except ValueError as error:
        raise ConfigError("--web.external-url", f"{url!r} is not a URL: {error}", _EXTERNAL) from None
    if not named:
        raise ConfigError("--web.external-url", f"{url!r} names no host", _EXTERNAL)
