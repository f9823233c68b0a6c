"""Real nodes with a keyring: neither a roll-out nor a change of keys loses a member or a silence."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.api import matcher
from tests.support.cluster import Cluster
from tests.support.eventually import eventually
from tests.support.node import PATIENT, Node, metric
from tests.support.tocsin_node import TOCSIN
from tocsin.cli.control import main
from tocsin.gossip.wire.keyring import fingerprint
from tocsin.node.cluster.keyring.keyfile import encode_key, read_keys, write_keys

OLD, NEW = secrets.token_bytes(32), secrets.token_bytes(16)


@contextmanager
def silences_flow(nodes: list[Node]) -> Iterator[list[str]]:
    """One node after the other gets a new silence, all the while; their ids."""
    made: list[str] = []
    stop = threading.Event()
    broken: list[BaseException] = []

    def flow() -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                node = nodes[number % len(nodes)]
                # Small ones go in datagrams, large ones by stream.
                comment = "x" * (5000 if number % 5 == 0 else 10)
                made.append(node.api.post_silence([matcher("number", str(number))], comment=comment))
                stop.wait(0.05)
        except BaseException as error:
            broken.append(error)

    thread = threading.Thread(target=flow)
    thread.start()
    try:
        yield made
    finally:
        stop.set()
        thread.join()
    assert not broken


def all_are_everywhere(nodes: list[Node], ids: list[str]) -> None:
    for node in nodes:
        eventually(lambda: set(ids) <= {one["id"] for one in node.api.silences()}, f"all on {node!r}")  # noqa: B023


def nobody_left(nodes: list[Node]) -> None:
    for node in nodes:
        numbers = node.api.metrics()
        assert metric(numbers, "alertmanager_cluster_peers_left_total") == 0, node
        assert metric(numbers, "tocsin_cluster_refused_total") == 0, node


def test_keys_change_under_load_by_one_command_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new"
    new.write_text(encode_key(NEW))
    with Cluster(tmp_path, udp=True, flags=PATIENT) as cluster:
        rings = []
        for name in ("a", "b", "c"):
            rings.append(tmp_path / f"{name}.json")
            write_keys(rings[-1], [OLD])
            cluster.add(TOCSIN, name, peer_name=name, flags={"cluster.keyring-file": str(rings[-1])})
        cluster.wait_whole()
        with silences_flow(cluster.nodes) as made:
            # With the first node's own file, which always knows a key that all share.
            reach = ["--keyring-file", str(rings[0]), "--address", cluster.nodes[0].cluster_address]
            for command in (
                ["install", "--key-file", str(new)],
                ["use", fingerprint(NEW)],
                ["remove", fingerprint(OLD)],
                ["list"],
            ):
                before = len(made)
                eventually(lambda: len(made) > before + 5, "silences flow")  # noqa: B023
                assert main(["keyring", *command, *reach]) == 0, capsys.readouterr()
                assert capsys.readouterr().out.count("done") == 3
        all_are_everywhere(cluster.nodes, made)
        nobody_left(cluster.nodes)
        assert [read_keys(ring) for ring in rings] == [[NEW]] * 3
        # A node that comes back reads what was written.
        cluster.nodes[1].stop()
        cluster.nodes[1].restart()
        cluster.wait_whole()
        for secret in (encode_key(OLD), encode_key(NEW), OLD.hex(), NEW.hex()):
            assert all(secret not in node.process.text() for node in cluster.nodes)


def test_clear_text_becomes_sealed_node_by_node(tmp_path: Path) -> None:
    ring = tmp_path / "ring.json"
    write_keys(ring, [OLD])
    off_incoming, off_outgoing = "no-cluster.keyring-verify-incoming", "no-cluster.keyring-verify-outgoing"
    with Cluster(tmp_path, udp=True, flags=PATIENT) as cluster:
        for name in ("a", "b", "c"):
            cluster.add(TOCSIN, name, peer_name=name)
        cluster.wait_whole()
        assert "CLEAR TEXT" in cluster.nodes[0].process.text()
        made: list[str] = []
        for switches in ([off_incoming, off_outgoing], [off_incoming], []):
            for node in cluster.nodes:
                node.flags = {key: value for key, value in node.flags.items() if "keyring" not in key}
                node.flags |= {"cluster.keyring-file": str(ring), **dict.fromkeys(switches, "")}
                node.stop()
                node.restart()
                cluster.wait_whole()
                one = [matcher("a", "b")]
                made.extend(each.api.post_silence(one, comment=node.name) for each in cluster.nodes)
                all_are_everywhere(cluster.nodes, made)
        for node in cluster.nodes:
            numbers = node.api.metrics()
            assert metric(numbers, "tocsin_cluster_refused_total") == 0, node
        assert metric(cluster.nodes[2].api.metrics(), "tocsin_gossip_packets_unsealed_total") == 0


def test_a_stranger_s_key_is_named_by_our_fingerprint(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    write_keys(ours, [OLD])
    write_keys(theirs, [NEW])
    with Cluster(tmp_path, udp=True) as cluster:
        first = cluster.add(TOCSIN, "first", flags={"cluster.keyring-file": str(ours)})
        cluster.add(TOCSIN, "stranger", flags={"cluster.keyring-file": str(theirs)})
        eventually(lambda: "does not share our keyring" in first.process.text(), "the log names it")
        [line, *_] = [line for line in first.process.text().splitlines() if "does not share" in line]
        assert fingerprint(OLD) in line
        assert fingerprint(NEW) not in line
        assert first.api.peer_addresses() == {first.cluster_address}
        assert metric(first.api.metrics(), "tocsin_cluster_refused_total", reason="keyring") > 0
