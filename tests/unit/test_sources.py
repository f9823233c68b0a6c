"""One source is what one machine may take as it likes."""

from __future__ import annotations

import pytest

from tocsin.gossip.peer import PeerIdentity, account_of
from tocsin.sources import source_of


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1:2:3", True),
        ("2001:db8::1", "2001:db8:0:0:ffff::1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "", True),
        ("unix", "other", False),
    ],
)
def test_sources(one: str, other: str, same: bool) -> None:
    assert (source_of(one) == source_of(other)) is same


def test_a_member_has_one_account_in_a_whole_network() -> None:
    def peer(certificate: str, host: str) -> PeerIdentity:
        return PeerIdentity(certificate, frozenset(), host)

    first = account_of(peer("a", "2001:db8::1"))
    assert first == account_of(peer("a", "2001:db8::2"))
    assert first != account_of(peer("b", "2001:db8::1"))
    assert first != account_of(peer("a", "192.0.2.1"))
    assert account_of("2001:db8::1") == account_of("2001:db8::2") != account_of("2001:db8:0:1::1")
