"""Names to addresses."""

from __future__ import annotations

import asyncio

import pytest

from tocsin.errors import ConfigError, TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.discovery.resolve import resolve, split_host_port


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


def test_splitting() -> None:
    assert split_host_port("a:1", "flag") == ("a", 1)
    assert split_host_port("[::1]:65535", "flag") == ("::1", 65535)
    assert split_host_port(":9094", "flag") == ("", 9094)


@pytest.mark.parametrize("text", ["a", "a:", "a:65536", "a:-1", "a:\u0661", "::1:5", ""])
def test_splitting_refuses_by_place(text: str) -> None:
    with pytest.raises(ConfigError, match="the flag"):
        split_host_port(text, "the flag")
