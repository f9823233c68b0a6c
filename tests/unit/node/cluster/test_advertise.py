"""What a node tells others to dial."""

from __future__ import annotations

import pytest

from tocsin.errors import ConfigError
from tocsin.gossip.address import Address
from tocsin.node.cluster.advertise import advertise_address


def test_a_bound_address_is_advertised_as_it_is() -> None:
    bound = Address("127.0.0.1", 7000)
    assert advertise_address(bound, "", allow_public=False) == bound


def test_the_flag_wins_and_takes_the_listeners_port_for_zero() -> None:
    bound = Address("0.0.0.0", 7000)
    assert advertise_address(bound, "10.1.2.3:0", allow_public=False) == Address("10.1.2.3", 7000)
    assert advertise_address(bound, "[::ffff:10.1.2.3]:9", allow_public=False) == Address("10.1.2.3", 9)


@pytest.mark.parametrize("flag", ["example:1", "10.0.0.1", "10.0.0.1:x", "1:2:3"])
def test_a_flag_that_nobody_could_dial_is_refused_by_its_name(flag: str) -> None:
    with pytest.raises(ConfigError, match=r"--cluster\.advertise-address"):
        advertise_address(Address("0.0.0.0", 7000), flag, allow_public=False)


@pytest.mark.parametrize("flag", ["0.0.0.0:9093", ":9093", "[::]:9093"])
def test_of_a_wildcard_only_the_port_is_advertised(flag: str) -> None:
    bound = Address("127.0.0.1", 7000)
    assert advertise_address(bound, flag, allow_public=False) == Address("127.0.0.1", 9093)
