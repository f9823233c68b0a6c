"""The digests of one state as of a time to come, which are worked out in steps."""

from __future__ import annotations

from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from tocsin.alerting.digest.tree import HASH_BYTES, DigestTree
from tocsin.alerting.steps import finish

MINUTE = 60 * 1_000_000_000
AHEAD = 5
"""Minutes from the horizon to the cutoff that is asked for."""


def put(tree: DigestTree, number: int, minute: int, version: int = 1) -> None:
    identity = blake2b(str(number).encode(), digest_size=HASH_BYTES).digest()
    tree.put(identity, (number << 8) + version, 0, minute * MINUTE, number)


def drop(tree: DigestTree, number: int) -> None:
    tree.drop(blake2b(str(number).encode(), digest_size=HASH_BYTES).digest())


changes = st.lists(
    st.tuples(st.sampled_from(["put", "drop"]), st.integers(0, 999), st.integers(1, 2 * AHEAD)), max_size=30
)


@given(changes)
def test_what_changes_between_two_steps_leaves_the_digests_as_they_were(
    between: list[tuple[str, int, int]],
) -> None:
    tree = DigestTree()
    tree.move(0)
    for number in range(600):
        put(tree, number, 1 + number % 4)
    expected = tree.view(AHEAD)
    steps = tree.viewing(AHEAD)
    next(steps)
    for kind, number, minute in between:
        if kind == "put":
            put(tree, number, minute, version=2)
        else:
            drop(tree, number)
    found = finish(steps)
    assert found == expected
    assert found.size == 0
