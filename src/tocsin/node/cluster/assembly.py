"""From the ``--cluster.*`` flags to a cluster."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping

from tocsin.errors import ConfigError
from tocsin.gossip.address import Address
from tocsin.gossip.discovery.resolve import literal
from tocsin.node.clock import Clock
from tocsin.node.cluster.advertise import advertise_address
from tocsin.node.cluster.cluster import Cluster
from tocsin.node.cluster.convergence import Replicated
from tocsin.node.cluster.discovery import REMEMBERED, load_targets
from tocsin.node.cluster.keyring.keyfile import make_keyring
from tocsin.node.cluster.name import SHADOW, identity, own_names, ulid
from tocsin.node.cluster.settings import ClusterSettings
from tocsin.node.cluster.transports import make_transport
from tocsin.node.config.commandline import split_host_port
from tocsin.node.config.flags import NodeFlags
from tocsin.node.log import Logger

_LISTEN = "--cluster.listen-address"


def make_cluster(
    flags: NodeFlags,
    states: Mapping[str, Replicated],
    *,
    clock: Clock,
    on_members: Callable[[], None],
    on_settled: Callable[[], None],
    on_merged: Callable[[str], None],
    on_growth: Callable[[int], None],
    remembered: Mapping[str, str] | None = None,
    once_kept: Callable[[Callable[[], None]], None] | None = None,
    keep: Callable[[Mapping[str, str]], None] = lambda _: None,
) -> Cluster | None:
    """The cluster that the flags describe, not started; None when they turn it off.

    ``remembered`` is what the store remembered of a previous run (see :func:`identity`). ``once_kept`` calls
    what relays what was merged, once that is on disk; ``keep`` remembers values for the next run.
    :class:`ConfigError` for an address or a TLS file that cannot be used.
    """
    if not flags.cluster_listen_address:
        return None
    listen = _listen_address(flags.cluster_listen_address)
    advertise = advertise_address(
        listen,
        flags.cluster_advertise_address,
        allow_public=flags.cluster_allow_insecure_public_advertise_address_discovery,
    )
    transport = make_transport(flags, listen, advertise)
    keyring = make_keyring(flags)
    known = remembered or {}
    if not flags.cluster_peer_name:
        known = own_names(known, shadow=flags.dispatch_shadow)
    name, incarnation = identity(flags.cluster_peer_name, advertise, known)
    prefix = SHADOW if flags.dispatch_shadow else ""
    settings = ClusterSettings.of_flags(
        flags,
        name=name or prefix + ulid(time.time_ns() // 1_000_000, os.urandom(10)),
        incarnation=incarnation,
        restored=load_targets(known.get(REMEMBERED, "")),
    )
    return Cluster(
        settings,
        transport,
        states,
        clock=clock,
        log=Logger("tocsin.cluster", component="cluster"),
        on_members=on_members,
        on_settled=on_settled,
        on_merged=on_merged,
        on_growth=on_growth,
        advertise=advertise,
        once_kept=once_kept or (lambda relay: relay()),
        keyring=keyring,
        keep=keep,
    )


def _listen_address(text: str) -> Address:
    host, port = split_host_port(_LISTEN, text)
    known = literal(host or "0.0.0.0") or _resolved(host)
    if known is None:
        raise ConfigError(_LISTEN, f"cannot resolve {host!r}", "write ip:port, 0.0.0.0 for every address")
    return Address(known, port)


def _resolved(host: str) -> str | None:
    """An address of this machine by its name, as Go's net.Listen takes one: IPv4 first."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return None
    found.sort(key=lambda one: one[0] != socket.AF_INET)
    return literal(str(found[0][4][0]))
