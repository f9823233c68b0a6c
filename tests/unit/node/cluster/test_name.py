"""Peer names are ULIDs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.node.cluster.name import ulid


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
