"""Worlds of replicas that lose changes, part, restart and tell different times: exchanges make them equal."""

from __future__ import annotations

from random import Random

import pytest

from tests.support.replicas import HOUR, NOW, Replicas, exchange, silence
from tocsin.alerting.digest.tree import cutoff_of
from tocsin.alerting.nflog.entry import Receiver
from tocsin.alerting.protocol import read_delimited
from tocsin.alerting.silence import codec
from tocsin.alerting.timestamp import SECOND

MINUTE = 60 * SECOND
RECEIVER = Receiver("team", "webhook", 0)


class World:
    """A few nodes, few keys (so that they collide), and a seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.time = NOW
        names = [f"n{n}" for n in range(self.random.randint(2, 5))]
        self.nodes = {name: Replicas(name) for name in names}
        self.skew = {name: self.random.randint(-5 * 60, 5 * 60) * SECOND for name in names}
        self.part = dict.fromkeys(names, 0)

    def now(self, name: str) -> int:
        return self.time + self.skew[name]

    def spread(self, origin: str, key: str, changes: list[bytes]) -> None:
        for name, node in self.nodes.items():
            if name != origin and self.part[name] == self.part[origin] and self.random.random() < 0.6:
                for change in changes:
                    node.take(key, change, self.now(name))

    def change(self) -> None:
        random = self.random
        name = random.choice(list(self.nodes))
        node, now = self.nodes[name], self.now(name)
        if random.random() < 0.4:
            lifetime = random.choice([2 * MINUTE, 30 * MINUTE, 5 * HOUR])
            group = f"group {random.randrange(12)}"
            self.spread(name, "nfl", node.log.log(RECEIVER, group, [random.randrange(9)], [], now, lifetime))
            return
        identifier = f"k{random.randrange(12)}"
        expires = now + random.choice([MINUTE, 10 * MINUTE, HOUR, 20 * HOUR])
        # Stamps are coarse, so that two nodes make different versions with the same stamp.
        stamp = now // (5 * MINUTE) * 5 * MINUTE
        entry = silence(identifier, stamp, expires, random.choice(["", "x", "y"]), ends_at=NOW)
        if random.random() < 0.3:  # as another program would encode the same
            entry = codec.encode(codec.decode(next(read_delimited(entry)))).encoded
        node.take("sil", entry, now)
        self.spread(name, "sil", [entry])

    def step(self) -> None:
        random = self.random
        self.time += random.choice([0, 1, 20, 120]) * SECOND
        what = random.random()
        name = random.choice(list(self.nodes))
        node = self.nodes[name]
        if what < 0.6:
            self.change()
        elif what < 0.7:
            node.silences.gc(self.now(name))
            node.log.gc(self.now(name))
        elif what < 0.76:
            self.part = {each: random.randrange(2) for each in self.nodes}
        elif what < 0.80:
            self.restart(name)
        elif what < 0.82:
            self.skew[name] = random.randint(-5 * 60, 5 * 60) * SECOND  # the clock is set
        else:
            other = random.choice([each for each in self.nodes if each != name])
            if self.part[name] == self.part[other]:
                self.exchange(name, other, random.choice([1, 2, 3, 1000]))
        self.check(*random.sample(list(self.nodes), 2))

    def restart(self, name: str) -> None:
        old, new = self.nodes[name], Replicas(name)
        new.silences.load(old.silences.encode_state(), self.now(name))
        new.log.load(old.log.encode_state(), self.now(name))
        self.nodes[name] = new

    def exchange(self, name: str, other: str, steps: int = 1000) -> None:
        exchange(
            self.nodes[name],
            self.nodes[other],
            asking_now=self.now(name),
            answering_now=self.now(other),
            steps=steps,
            nonce=self.random.getrandbits(64),
        )

    def equal(self, one: str, other: str) -> bool:
        return self.contents(one, other)[0] == self.contents(one, other)[1]

    def contents(self, *names: str) -> list[object]:
        now = max(self.now(name) for name in names)
        return [self.nodes[name].content(now) for name in names]

    def check(self, one: str, other: str) -> None:
        """Equal digests, if and only if the states are equal."""
        cutoff = cutoff_of(max(self.now(one), self.now(other)))
        roots = []
        for name in (one, other):
            for state in self.nodes[name].states.values():
                state.digests.move(cutoff_of(self.now(name)))
            roots.append([state.digests.view(cutoff)[:3] for state in self.nodes[name].states.values()])
        assert (roots[0] == roots[1]) == self.equal(one, other)

    def converge(self) -> None:
        names = list(self.nodes)
        for _ in range(4):
            for name in names:
                self.exchange(name, self.random.choice([each for each in names if each != name]))
        # Every pair, not a line: of what is about to expire a node whose clock is ahead tells nothing on.
        for _ in range(2):
            for one in names:
                for other in names:
                    if one != other:
                        self.exchange(one, other)
        for one in names:
            for other in names:
                assert self.equal(one, other), (one, other, self.contents(one, other))
                self.check(one, other)


def run(seed: int) -> None:
    world = World(seed)
    for _ in range(60):
        world.step()
    world.converge()


@pytest.mark.parametrize("block", range(4))
def test_exchanges_make_all_equal(block: int) -> None:
    for seed in range(block * 25, block * 25 + 25):
        try:
            run(seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error


@pytest.mark.slow
@pytest.mark.parametrize("block", range(40))
def test_exchanges_make_all_equal_in_many_worlds(block: int) -> None:
    for seed in range(1000 + block * 100, 1000 + block * 100 + 100):
        try:
            run(seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error


def test_an_entry_that_only_one_side_accepts_is_passed_over_once() -> None:
    full = Replicas("full", max_entries=2)
    other = Replicas("other")
    full.take("sil", silence("a", NOW, NOW + HOUR) + silence("b", NOW, NOW + HOUR), NOW)
    other.take("sil", silence("c", NOW, NOW + HOUR, "x" * 5000), NOW)
    first = exchange(full, other)
    assert (first.agreed, first.declined) == (True, 1)
    again = exchange(full, other)
    assert (again.agreed, again.received, again.declined) == (True, 0, 1)
    later = exchange(full, other, asking_now=NOW + 11 * MINUTE, answering_now=NOW + 11 * MINUTE)
    assert later.received > 5000
    asked = exchange(other, full)
    assert (asked.agreed, asked.declined) == (True, 1)
