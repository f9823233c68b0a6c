"""The choice of gossip partners: equal chances in small clusters, open connections in large ones."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tests.support.endpoints import Bench, address_of
from tocsin.gossip.address import Address
from tocsin.gossip.core.partners import ROTATION, choose_partners

LIMIT = 16


def choose(count: int, peers: int, limit: int, connected: list[int], random: Random) -> list[int]:
    return choose_partners(
        count,
        peers=peers,
        limit=limit,
        connected=connected,
        draw=lambda number: random.sample(range(peers), min(number, peers)),
        random=random,
    )


@settings(max_examples=many(200))
@given(st.integers(1, 8), st.integers(1, 60), st.integers(1, 20), st.integers(0), st.data())
def test_partners_are_different_known_and_as_many_as_asked_for(
    count: int, peers: int, limit: int, seed: int, data: st.DataObject
) -> None:
    connected = data.draw(st.lists(st.integers(0, peers - 1), unique=True, max_size=min(limit, peers)))
    chosen = choose(count, peers, limit, connected, Random(seed))
    assert len(chosen) == len(set(chosen))
    assert set(chosen) <= set(range(peers))
    assert len(chosen) == min(count, peers)


@settings(max_examples=many(50))
@given(st.integers(1, LIMIT), st.lists(st.integers(0, 7), unique=True), st.integers(0))
def test_in_a_cluster_that_fits_the_pool_nothing_is_preferred(
    peers: int, connected: list[int], seed: int
) -> None:
    """The very same draws as without the policy, whoever is connected."""
    chosen = choose(3, peers, LIMIT, [one for one in connected if one < peers], Random(seed))
    assert chosen == Random(seed).sample(range(peers), min(3, peers))


def test_with_an_open_pool_one_choice_in_so_many_is_a_new_one() -> None:
    random, connected = Random(1), list(range(LIMIT))
    chosen = Counter(one for _ in range(20_000) for one in choose(3, 1000, LIMIT, connected, random))
    new = sum(times for one, times in chosen.items() if one >= LIMIT)
    assert 0.9 < new * ROTATION / 60_000 < 1.1
    times = [chosen[one] for one in connected]
    assert min(times) > 0.9 * max(times)


def test_every_member_is_chosen_eventually() -> None:
    random, met = Random(2), set[int]()
    for _ in range(30_000):
        met.update(choose(3, 300, LIMIT, list(range(LIMIT)), random))
    assert met == set(range(300))


def test_half_a_pool_is_filled_and_no_more() -> None:
    random, connected = Random(3), dict[int, None]()
    rounds = 0
    while len(connected) < LIMIT // 2:
        connected |= dict.fromkeys(choose(3, 1000, LIMIT, list(connected), random))
        rounds += 1
    assert rounds <= 5
    chosen = [one for _ in range(200) for one in choose(3, 1000, LIMIT, list(connected), random)]
    assert sum(one not in connected for one in chosen) < 3 * len(chosen) / ROTATION


def test_a_pool_smaller_than_the_fan_out_does_not_shrink_it() -> None:
    assert len(choose(3, 100, 1, [7], Random(4))) == 3


class Connections:
    """A transport's answer."""

    def __init__(self, limit: int | None, numbers: list[int]) -> None:
        self.connection_limit = limit
        self.numbers = numbers

    def connected(self) -> list[Address]:
        return [address_of(number) for number in self.numbers]


def gossiped_to(connections: Connections | None, rounds: int = 200) -> Counter[Address]:
    """Among forty members (numbers 2 to 41)."""
    bench = Bench(connections=connections)
    bench.populate(40)
    bench.sent.clear()
    for _ in range(rounds):
        bench.endpoint.broadcast(b"news", bench.now, name="news")
        bench.endpoint.gossip(bench.now)
    bench.drain()
    return Counter(packet.destination for packet, _ in bench.sent)


def test_an_endpoint_gossips_with_whom_it_is_connected() -> None:
    # Ourselves and a stranger are among the connections: neither is a partner.
    found = gossiped_to(Connections(10, [1, *range(2, 10), 200]))
    preferred = sum(found[address_of(number)] for number in range(2, 10))
    assert preferred > 0.9 * found.total()
    assert set(found) <= {address_of(number) for number in range(2, 42)}


def test_an_endpoint_without_connections_gossips_with_anyone() -> None:
    for connections in (None, Connections(None, []), Connections(40, list(range(2, 10)))):
        found = gossiped_to(connections)
        assert len(found) == 40
        assert sum(found[address_of(number)] for number in range(2, 10)) < 0.4 * found.total()
