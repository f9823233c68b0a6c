"""Names to addresses."""

from __future__ import annotations

import asyncio

import pytest

from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.discovery.resolve import resolve


def test_literals_need_no_resolver() -> None:
    assert asyncio.run(resolve("127.0.0.1", 1, timeout=1)) == [Address("127.0.0.1", 1)]
    assert asyncio.run(resolve("::ffff:10.0.0.1", 1, timeout=1)) == [Address("10.0.0.1", 1)]


def test_the_systems_names_resolve_without_repeats() -> None:
    found = asyncio.run(resolve("localhost", 7, timeout=10))
    assert Address("127.0.0.1", 7) in found
    assert len(found) == len(set(found))


def test_a_name_that_does_not_exist_is_one_clear_error() -> None:
    with pytest.raises(TransportError, match=r"resolving 'nobody\.invalid'"):
        asyncio.run(resolve("nobody.invalid", 7, timeout=10))
