"""A cluster on loopback: one certificate authority, one webhook sink, nodes of any kind."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from tests.support.api import matcher
from tests.support.eventually import eventually
from tests.support.node import Node, NodeKind, webhook_config
from tests.support.sink import WebhookSink
from tocsin.certificates import CertificateFolder, NodeFiles


class Cluster:
    """Nodes that speak mutual TLS with each other, or ``udp``, and notify one sink. Use as a context
    manager."""

    def __init__(self, folder: Path, *, flags: Mapping[str, str] | None = None, udp: bool = False) -> None:
        self.folder = folder
        self.flags = dict(flags or {})
        self.udp = udp
        self.nodes: list[Node] = []
        self.sink = WebhookSink()
        self.certificates = make_authority(folder / "certs")

    def __enter__(self) -> Self:
        self.sink.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        for node in self.nodes:
            node.process.send(signal.SIGTERM)  # all at once: each takes a moment to say goodbye
        for node in self.nodes:
            node.close()
        self.sink.__exit__(*exc)

    def issue(self, name: str) -> NodeFiles:
        return issue(self.certificates, name)

    def add(
        self,
        kind: NodeKind,
        name: str,
        *,
        peers: Iterable[Node] | None = None,
        peer_name: str = "",
        tls: NodeFiles | None = None,
        flags: Mapping[str, str] | None = None,
        host: str = "",
        group_interval: str = "5m",
    ) -> Node:
        """Start a node that is told of ``peers`` (None: all so far)."""
        told = self.nodes if peers is None else peers
        more = dict(flags or {})
        if self.udp and kind.version is None:
            more.setdefault("cluster.transport", "udp")  # Alertmanager's way when it is given no TLS.
        node = Node(
            kind,
            name,
            self.folder / name,
            config=webhook_config(self.sink.url, group_interval=group_interval),
            tls=None if self.udp else tls or self.issue(name),
            peers=[peer.cluster_address for peer in told],
            peer_name=peer_name,
            flags={**self.flags, **more},
            cluster_host=host,
        )
        self.nodes.append(node)
        return node.start()

    def wait_whole(self) -> None:
        """Wait until every node sees every node, and is ready."""
        for node in self.nodes:
            node.wait_members(self.nodes)
        for node in self.nodes:
            node.wait_ready()

    def heal(self) -> None:
        """Start again what a test ended, and wait until the cluster is whole."""
        for node in self.nodes:
            if not node.alive:
                node.restart()
        self.wait_whole()


def make_authority(folder: Path, name: str = "Cluster CA") -> CertificateFolder:
    """An authority as ``tocsinctl certs init`` makes it."""
    authority = CertificateFolder(folder)
    authority.initialise(name, now=datetime.now(UTC), lifetime=timedelta(days=2))
    return authority


def issue(authority: CertificateFolder, name: str, *hosts: str) -> NodeFiles:
    """A loopback node's files as ``tocsinctl certs issue`` makes them; ``hosts``: further names."""
    hosts = ("127.0.0.1", "::1", *hosts)
    return authority.issue(name, hosts, now=datetime.now(UTC), lifetime=timedelta(days=1))


def silences_go_both_ways(first: Node, second: Node) -> None:
    """A silence of each is seen on the other, as a packet and as a stream."""
    for maker, reader in ((first, second), (second, first)):
        for size in (10, 5_000):
            id_ = maker.api.post_silence([matcher("alertname", "Labelled")], comment="x" * size)
            eventually(
                lambda reader=reader, id_=id_: reader.api.silence(id_),  # type: ignore[misc]
                f"{size} bytes from {maker!r} on {reader!r}",
            )
