"""Peer names are ULIDs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.gossip.address import Address
from tocsin.gossip.core.member import Member
from tocsin.gossip.wire.messages import MemberState
from tocsin.node.cluster.name import identity, remembered, ulid


def test_the_specifications_own_example_of_time() -> None:
    assert ulid(1469918176385, bytes(10)).startswith("01ARYZ6S41")


def test_the_largest_value() -> None:
    assert ulid(2**48 - 1, b"\xff" * 10) == "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"


@given(st.integers(0, 2**48 - 2), st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_names_sort_by_time(milliseconds: int, one: bytes, other: bytes) -> None:
    assert ulid(milliseconds, one) < ulid(milliseconds + 1, other)


def test_too_little_entropy_is_refused() -> None:
    with pytest.raises(ValueError, match="10 bytes"):
        ulid(0, b"")


ADDRESS = Address("127.0.0.1", 9094)
KNOWN = remembered(Member("kept", ADDRESS, 7, MemberState.ALIVE, 0.0))


def test_a_restart_keeps_the_name_and_goes_on_past_the_last_incarnation() -> None:
    assert identity("", ADDRESS, KNOWN) == ("kept", 8)
    assert identity("kept", ADDRESS, KNOWN) == ("kept", 8)
    assert identity("", ADDRESS, {}) == ("", 1)


def test_a_new_name_or_place_begins_anew() -> None:
    assert identity("other", ADDRESS, KNOWN) == ("other", 1)
    assert identity("", Address("127.0.0.1", 9095), KNOWN) == ("", 1)
    assert identity("kept", Address("127.0.0.1", 9095), KNOWN) == ("kept", 1)
    assert identity(
        "",
        Address("127.0.0.1", 0),
        remembered(Member("x", Address("127.0.0.1", 0), 7, MemberState.ALIVE, 0.0)),
    ) == ("", 1)


def test_an_incarnation_that_is_none_or_would_run_out_begins_anew() -> None:
    for bad in ("", "x", "-1", "9" * 30, str(2**32 - 1), "٣"):
        assert identity("", ADDRESS, {**KNOWN, "peer_incarnation": bad}) == ("kept", 1)
