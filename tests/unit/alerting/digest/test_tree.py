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


moves = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["put", "drop"]), st.integers(0, 999), st.integers(1, 2 * AHEAD)),
        st.tuples(st.sampled_from(["move", "go on"]), st.integers(0, 2 * AHEAD), st.just(0)),
    ),
    max_size=40,
)


@given(moves)
def test_a_horizon_that_is_moved_in_steps_by_several_leaves_what_one_has_at_once(
    between: list[tuple[str, int, int]],
) -> None:
    """Entries that expire together are taken out in steps, between which others come, go and move it too."""
    tree = DigestTree()
    tree.move(0)
    for number in range(1200):
        put(tree, number, 1 + number % 2)
    under_way = [tree.moving(1)]
    next(under_way[0])
    for kind, number, minute in between:
        if kind == "put":
            put(tree, number, minute, version=2)
        elif kind == "drop":
            drop(tree, number)
        elif kind == "move":
            under_way.append(tree.moving(number))
            next(under_way[-1], None)
        else:  # one of them is never gone on with
            next(under_way[number % len(under_way)], None)
    found = tree.view(tree.horizon)
    fresh = DigestTree()
    fresh.move(tree.horizon)
    for leaf in tree._members:
        for identity, known in leaf.items():
            fresh.put(identity, known.version, known.stamp, known.minute * MINUTE, known.key)
    assert found == fresh.view(tree.horizon)
    assert (tree._counted, tree._expired) == (fresh._counted, fresh._expired)
