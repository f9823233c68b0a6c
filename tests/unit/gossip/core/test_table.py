"""The member table on its own: at which hosts live members are."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.awareness import Awareness
from tocsin.gossip.core.context import Context
from tocsin.gossip.core.member import Member
from tocsin.gossip.core.table import MemberTable
from tocsin.gossip.wire.messages import MemberState


def member(name: str, host: str, state: MemberState = MemberState.ALIVE) -> Member:
    return Member(name, Address(host, 7946), 1, state, 0.0)


def test_hosts_of_live_members_are_known_of_ipv6_the_whole_64() -> None:
    config = GossipConfig()
    context = Context(config, Random(1), Awareness(config.awareness_max))
    table = MemberTable(context, member("me", "10.0.0.1"))
    peer, other = member("peer", "10.0.0.2"), member("other", "2001:db8::1")
    for one in (peer, other):
        table.insert(one.name)
        table.store(one)
    hosts = ("10.0.0.1", "10.0.0.2", "::ffff:10.0.0.2", "2001:db8::9", "10.0.0.3", "2001:db8:0:1::1")
    assert [table.is_live_at(host) for host in hosts] == [True, True, True, True, False, False]

    table.store(replace(peer, state=MemberState.SUSPECT))
    assert table.is_live_at("10.0.0.2")
    table.store(replace(peer, state=MemberState.DEAD))
    assert not table.is_live_at("10.0.0.2")
    table.store(replace(peer, address=Address("10.0.0.3", 7946)))  # It came back elsewhere.
    assert [table.is_live_at(host) for host in hosts] == [True, False, False, True, True, False]
    table.remove("peer")
    table.remove("other")
    assert [table.is_live_at(host) for host in hosts] == [True, False, False, False, False, False]
