"""What keeps a cluster from being whole is said, with the reason, for as long as it lasts."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.support.transports import eventually
from tests.unit.node.cluster.test_cluster import QUICK, Member, address
from tocsin.gossip.transport.memory import MemoryNetwork
from tocsin.node.cluster.gaps import SHOWN, Gap, Gaps, explained
from tocsin.node.nodestatus import cluster_status_of


def test_a_view() -> None:
    assert Gaps().whole
    gaps = Gaps((Gap("10.0.0.1:9094", "certificate has expired"), Gap("b", "")), (Gap("dns+x", "no answer"),))
    assert not gaps.whole
    assert gaps.unverified == 1
    assert gaps.shown == {
        "missing": "10.0.0.1:9094 (certificate has expired), b",
        "sources": "dns+x (no answer)",
    }
    many = Gaps(tuple(Gap(f"n{number}", "") for number in range(SHOWN + 3)))
    assert many.shown["missing"].endswith(f"n{SHOWN - 1}, and 3 more")


def test_a_certificate_of_another_name_comes_with_a_hint() -> None:
    error = "certificate is for another address (certificate is not valid for '10.0.0.1')"
    assert explained(error).startswith(f"{error}; issue it anew")
    assert explained("connection refused") == "connection refused"


@pytest.mark.parametrize(
    ("error", "flag"),
    [
        ("keyring: no installed key opens it", "--cluster.keyring-file"),
        ("keyring: remote state is encrypted and encryption is not configured", "--cluster.keyring-file"),
        ("dialling 10.0.0.1:9094: the connection ended during the TLS handshake", "--cluster.tls-config"),
        ("the peer answered: label: missing: the sender has none, ours is 'prod'", "--cluster.label"),
    ],
)
def test_another_key_label_or_transport_comes_with_the_flag(error: str, flag: str) -> None:
    assert explained(error).startswith(f"{error}; ")
    assert flag in explained(error)


def test_a_peer_that_is_down_is_missing_until_it_is_there() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        first = Member(network, "a", address(1), (str(address(2)), "file:/nonexistent"))
        second = Member(network, "b", address(2), ())
        try:
            await first.cluster.start()
            await eventually(lambda: bool(first.cluster.gaps.peers and first.cluster.gaps.peers[0].why), 30)
            await eventually(lambda: bool(first.cluster.gaps.sources), 30)
            status = cluster_status_of(first.cluster, clear_text=False)
            assert [gap.name for gap in status.gaps] == ["file:/nonexistent", str(address(2))]
            assert "/nonexistent" in status.gaps[0].why
            await second.cluster.start()
            await eventually(lambda: len(first.cluster.peers()) == 2, 30)
            assert first.cluster.gaps.peers == ()
            assert not first.cluster.gaps.whole  # The file is not there yet.
        finally:
            for member in (first, second):
                await member.cluster.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        (b"prod", b"staging", "of another cluster: the sender's is 'staging', ours is 'prod'"),
        (b"prod", b"", "missing: the sender has none, ours is 'prod'"),
        (b"", b"staging", "present, but this cluster has none: the sender's is 'staging'"),
    ],
)
def test_both_sides_say_that_labels_differ(ours: bytes, theirs: bytes, said: str) -> None:
    async def main() -> None:
        network = MemoryNetwork()
        first = Member(network, "a", address(1), (), replace(QUICK, label=ours))
        second = Member(network, "b", address(2), (str(address(1)),), replace(QUICK, label=theirs))
        try:
            await first.cluster.start()
            await second.cluster.start()
            await eventually(lambda: any(said in gap.why for gap in second.cluster.gaps.peers), 30)
            assert first.cluster.statistics.refused["label"] > 0
        finally:
            for member in (first, second):
                await member.cluster.close()

    asyncio.run(main())
