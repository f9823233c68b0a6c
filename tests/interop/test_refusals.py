"""A peer without a valid certificate gets in at neither kind of node, and is told of in a log."""

import re
import socket
import ssl
from pathlib import Path

import pytest

from tests.interop.conftest import Trio
from tests.support.cluster import issue, make_authority
from tests.support.eventually import eventually, holds_for
from tests.support.node import Node, NodeKind, webhook_config

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("stranger_is_ours", [True, False], ids=["ours-at-the-door", "theirs-at-the-door"])
def test_a_certificate_of_another_authority(
    tmp_path: Path, trio: Trio, ours: NodeKind, theirs: NodeKind, stranger_is_ours: bool
) -> None:
    stranger = Node(
        ours if stranger_is_ours else theirs,
        "stranger",
        tmp_path / "stranger",
        config=webhook_config(trio.sink.url),
        tls=issue(make_authority(tmp_path / "elsewhere"), "stranger"),
        peers=[trio.first.cluster_address, trio.theirs.cluster_address],
    )
    try:
        stranger.start()
        whole = {node.cluster_address for node in trio.nodes}
        eventually(
            lambda: re.search(r"certificate|unknown authority|tls", stranger.process.text(), re.IGNORECASE),
            "the stranger's own log tells why",
        )
        holds_for(
            lambda: (
                all(node.api.peer_addresses() == whole for node in trio.nodes)
                and stranger.api.peer_addresses() == {stranger.cluster_address}
            ),
            "the stranger stays outside",
            seconds=3.0,
        )
    finally:
        stranger.close()


@pytest.mark.parametrize("door", ["first", "theirs"])
def test_only_who_shows_a_certificate_is_let_in(trio: Trio, door: str) -> None:
    node: Node = getattr(trio, door)
    assert node.tls is not None
    context = ssl.create_default_context(cafile=node.tls.authority)
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        knock(node, context)
    context.load_cert_chain(node.tls.certificate, node.tls.key)
    with pytest.raises(TimeoutError):  # let in: it waits for our first frame
        knock(node, context)


def knock(node: Node, context: ssl.SSLContext) -> None:
    """Connect and read: with TLS 1.3 a refusal comes only with the first read."""
    with (
        socket.create_connection(("127.0.0.1", node.cluster_port), 10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.settimeout(1)
        connection.recv(1)
