"""One message never takes more than 64 MiB, whatever it holds within the limits."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

import pytest

from tocsin.errors import WireError
from tocsin.gossip.core.local import VERSIONS
from tocsin.gossip.wire.codec import encode_node
from tocsin.gossip.wire.limits import DEFAULT_LIMITS
from tocsin.gossip.wire.messages import NodeState
from tocsin.gossip.wire.msgpack import pack
from tocsin.gossip.wire.packet import compressed
from tocsin.gossip.wire.stream import StreamCodec

BOUND = 64 << 20


def peak(work: Callable[[], object]) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def push_pull(nodes: bytes, count: int, state: int) -> bytes:
    return b"\x06" + pack({"Join": False, "Nodes": count, "UserStateLen": state}) + nodes + bytes(state)


def node(number: int, meta: int) -> bytes:
    return encode_node(
        NodeState(f"node-{number}", b"\x7f\x00\x00\x01", 9094, number, 0, bytes(meta), VERSIONS)
    )


MOST: dict[str, Callable[[], tuple[bytes, int]]] = {
    "the smallest nodes": lambda: (b"\x80" * DEFAULT_LIMITS.nodes, DEFAULT_LIMITS.nodes),
    "the most nodes": lambda: (
        b"".join(node(n, 200) for n in range(DEFAULT_LIMITS.nodes)),
        DEFAULT_LIMITS.nodes,
    ),
    "the largest nodes": lambda: (b"".join(node(n, 512) for n in range(18_000)), 18_000),
}


@pytest.mark.parametrize("nodes", MOST)
def test_the_largest_push_pull(nodes: str) -> None:
    assert_bounded(push_pull(*MOST[nodes](), DEFAULT_LIMITS.user_state))


# Unpacking while every allocation is traced takes most of a minute.
@pytest.mark.parametrize(
    "nodes",
    [name if name == "the smallest nodes" else pytest.param(name, marks=pytest.mark.slow) for name in MOST],
)
def test_the_largest_push_pull_that_is_compressed(nodes: str) -> None:
    assert_bounded(compressed(push_pull(*MOST[nodes](), DEFAULT_LIMITS.user_state)))


def assert_bounded(data: bytes) -> None:
    decoder = StreamCodec().decoder()

    def read() -> None:
        for start in range(0, len(data), 65536):
            if decoder.feed(data[start : start + 65536]) is not None:
                return
        raise AssertionError("not whole")

    assert peak(read) < BOUND


def test_more_nodes_and_more_bytes_of_them_are_refused() -> None:
    with pytest.raises(WireError, match="Nodes announces 32769"):
        StreamCodec().decoder().feed(push_pull(b"", DEFAULT_LIMITS.nodes + 1, 0))
    large = b"".join(node(n, 512) for n in range(25_000))
    with pytest.raises(WireError, match="maps of more than 12582912 bytes"):
        StreamCodec().decoder().feed(push_pull(large, 25_000, 0))
