"""``--cluster.label``: the same label meets, another one is a stranger."""

from pathlib import Path

import pytest

from tests.support.api import matcher
from tests.support.cluster import Cluster, silences_go_both_ways
from tests.support.eventually import eventually, holds_for
from tests.support.node import NodeKind

pytestmark = [
    pytest.mark.interop,
    pytest.mark.parametrize("theirs", ["0.33", "0.28"], indirect=True),  # 0.25 knows no label
]


def test_the_same_label_meets(tmp_path: Path, ours: NodeKind, theirs: NodeKind) -> None:
    with Cluster(tmp_path, flags={"cluster.label": "night"}) as cluster:
        first = cluster.add(ours, "first")
        second = cluster.add(theirs, "second")
        cluster.wait_whole()
        silences_go_both_ways(first, second)


@pytest.mark.parametrize(("label", "other"), [("night", "day"), ("night", ""), ("", "day")])
def test_another_label_is_a_stranger(
    tmp_path: Path, ours: NodeKind, theirs: NodeKind, label: str, other: str
) -> None:
    with Cluster(tmp_path) as cluster:
        first = cluster.add(ours, "first", flags={"cluster.label": label})
        second = cluster.add(theirs, "second", flags={"cluster.label": other})
        third = cluster.add(ours, "third", peers=[first], flags={"cluster.label": label})
        for node in (first, third):
            node.wait_members([first, third])
        id_ = first.api.post_silence([matcher("alertname", "Secret")])
        eventually(lambda: third.api.silence(id_), "the silence within the label")

        def apart() -> bool:
            return (
                first.api.peer_addresses() == {first.cluster_address, third.cluster_address}
                and second.api.peer_addresses() == {second.cluster_address}
                and second.api.silence(id_) is None
            )

        holds_for(apart, "they stay apart", seconds=3.0)
