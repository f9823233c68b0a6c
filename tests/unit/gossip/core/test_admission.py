"""Who becomes a member: newcomers answer first, names are proven, and every bound is reached."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.endpoints import Bench, address_of, alive, encode, entry
from tocsin.gossip.address import Address
from tocsin.gossip.core.admission import LARGE, MAX_JOINERS
from tocsin.gossip.core.effects import ExchangeKind, MemberJoined, MemberLeft, ProtocolError
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.wire.messages import Ack, Alive, MemberState, Ping, PushPull


def certificate_of(*names: str, host: str = "10.0.0.200", number: int = 0) -> PeerIdentity:
    return PeerIdentity(f"certificate {number or names}", frozenset(names), host)


RELAY = certificate_of("relay")


class Door(Bench):
    """A bench whose packets come from authenticated peers."""

    def hear(self, *messages: Alive, peer: PeerIdentity = RELAY, source: Address | None = None) -> None:
        for packet in self.codec.encode([encode(message) for message in messages], checksum=False):
            self.endpoint.receive_packet(packet, source or address_of(200), self.now, peer)
        self.drain()

    def join(self, *names: str, peer: PeerIdentity, number: int = 9, join: bool = True) -> bool:
        """A push/pull comes in that claims these names; whether it is answered."""
        table = tuple(entry(name, number) for name in names)
        answer = self.endpoint.receive_stream(PushPull(join, table), address_of(number), self.now, peer)
        self.drain()
        return bool(answer)

    def pings(self, name: str) -> list[Ping]:
        return [ping for ping in self.messages(Ping) if ping.node == name]

    def answer(self, name: str, number: int) -> None:
        """The newcomer acks the last ping to it."""
        self.feed(Ack(self.pings(name)[-1].sequence_number), source=address_of(number))

    @property
    def names(self) -> set[str]:
        return {member.name for member in self.endpoint.members()} - {"me"}


def test_a_newcomer_is_asked_and_becomes_a_member_when_it_answers() -> None:
    door = Door()
    door.hear(alive("new", 2))
    assert door.names == set()
    assert not door.told(MemberJoined)
    assert door.endpoint.newcomers == 1
    assert [action.destination for action, _ in door.sent] == [address_of(2)]
    door.answer("new", 2)
    assert door.names == {"new"}
    assert [event.member.name for event in door.told(MemberJoined)] == ["new"]
    assert door.endpoint.newcomers == 0
    assert door.endpoint.statistics.newcomers_confirmed == 1


def test_a_newcomer_is_not_told_on_before_it_answered() -> None:
    door = Door(started=True)
    door.populate(3)
    door.run(10.0)  # what is queued of these goes out
    door.sent.clear()
    door.hear(alive("new", 9))
    door.run(5.0)
    assert not [message for message in door.messages(Alive) if message.node == "new"]
    assert not any(node.name == "new" for node in door.endpoint._membership.entries())
    door.answer("new", 9)
    door.run(1.0)
    assert [message for message in door.messages(Alive) if message.node == "new"]


def test_an_invention_is_asked_a_few_times_and_forgotten() -> None:
    door = Door()
    door.hear(alive("nobody", 2))
    door.run(door.config.newcomer_timeout + 1)
    assert 3 <= len(door.pings("nobody")) <= 6
    assert door.endpoint.newcomers == 0
    assert door.endpoint.statistics.newcomers_expired == 1
    assert door.names == set()
    assert not door.told(MemberLeft)


def test_an_ack_with_a_guessed_number_confirms_nobody() -> None:
    door = Door()
    door.hear(alive("nobody", 2))
    sent = door.pings("nobody")[0].sequence_number
    door.feed(*[Ack(number) for number in range(200)], Ack(sent ^ 1), source=address_of(2))
    assert door.names == set()


def test_who_joins_us_from_its_own_address_is_believed_at_once_one_at_a_time() -> None:
    door = Door()
    attacker = certificate_of("node", host="10.0.0.9")
    assert door.join("first", peer=attacker)
    assert door.names == {"first"}
    door.join("second", peer=attacker)
    assert door.names == {"first"}
    assert door.endpoint.newcomers == 2
    door.answer("first", 9)
    door.join("third", peer=attacker)
    assert door.names == {"first", "third"}


def test_alone_we_believe_the_whole_answer_to_our_join() -> None:
    door = Door()
    exchange = door.endpoint.join(address_of(9), door.now)
    door.drain()
    assert door.streams[-1].kind is ExchangeKind.JOIN
    table = tuple(entry(f"node-{n}", 2, address=bytes((10, 1, n // 250, n % 250))) for n in range(1000))
    door.endpoint.stream_replied(exchange, PushPull(False, table), door.now, certificate_of("seed"))
    door.drain()
    assert len(door.names) == 1000
    assert door.endpoint.newcomers == 0


def test_in_company_the_answer_to_a_join_is_verified_like_all_else() -> None:
    door = Door()
    door.feed(alive("known", 3))
    exchange = door.endpoint.join(address_of(9), door.now)
    door.drain()
    table = tuple(entry(f"node-{n}", n) for n in range(20, 30))
    door.endpoint.stream_replied(exchange, PushPull(False, table), door.now, certificate_of("seed"))
    assert door.endpoint.newcomers == 10


@pytest.mark.parametrize(
    ("bound", "settings"),
    [
        ("certificate", {"max_newcomers_per_peer": 20}),
        ("host", {"max_members_per_host": 20}),
        ("total", {"max_newcomers": 20}),
    ],
)
def test_newcomers_are_bounded_in_each_way(bound: str, settings: dict[str, Any]) -> None:
    door = Door(**settings)
    for number in range(100):
        address = address_of(2) if bound == "host" else address_of(number + 2)
        message = Alive(1, f"nobody-{number}", address.packed, 9094 + number, b"", alive("x", 2).versions)
        peer = RELAY if bound == "certificate" else certificate_of("relay", number=number + 1)
        door.hear(message, peer=peer)
    assert door.endpoint.newcomers == 20
    assert door.endpoint.statistics.newcomers_refused == {bound: 80}
    door.run(20.0)
    assert door.endpoint.newcomers == 0
    door.hear(alive("again", 150))
    assert door.endpoint.newcomers == 1


def test_members_at_one_address_count_too() -> None:
    door = Door(max_members_per_host=5)
    for number in range(10):
        message = Alive(1, f"n{number}", address_of(2).packed, 9000 + number, b"", alive("x", 2).versions)
        door.hear(message)
        if door.pings(f"n{number}"):
            door.answer(f"n{number}", 2)
    assert len(door.names) == 5
    assert door.endpoint.statistics.newcomers_refused == {"host": 5}


def test_a_name_that_waits_is_not_taken_over_by_another_address() -> None:
    door = Door()
    door.hear(alive("new", 2))
    door.hear(alive("new", 3), peer=certificate_of("other"))
    door.answer("new", 2)
    assert door.member("new").address == address_of(2)
    assert door.endpoint.statistics.newcomers_refused == {"conflict": 1}


def test_in_a_large_cluster_three_certificates_are_witness_enough() -> None:
    door = Door()
    for number in range(LARGE + 1):
        door.feed(alive(f"old-{number}", 2, address=bytes((10, 2, 0, number))))
    for number in (1, 2):
        door.hear(alive("new", 250), peer=certificate_of("relay", number=number))
    assert "new" not in door.names
    door.hear(alive("new", 250), peer=certificate_of("relay", number=2))
    assert "new" not in door.names
    door.hear(alive("new", 250), peer=certificate_of("relay", number=3))
    assert "new" in door.names


def test_joins_of_one_certificate_and_address_are_bounded_in_time() -> None:
    door = Door(join_burst=10, join_rate=2.0)
    attacker = certificate_of("node", host="10.0.0.9")
    answered = [door.join(f"nobody-{number}", peer=attacker) for number in range(50)]
    assert answered.count(True) == 10
    assert door.endpoint.statistics.joins_refused == 40
    assert door.join("node", peer=certificate_of("other", host="10.0.0.8"), number=8)
    door.run(1.0)
    assert [door.join("again", peer=attacker) for _ in range(4)] == [True, True, False, False]
    # The periodic exchange is not a join.
    assert door.join("again", peer=attacker, join=False)


def test_the_memory_of_joins_is_bounded() -> None:
    door = Door()
    for number in range(MAX_JOINERS + 50):
        door.endpoint._admission.may_join(certificate_of("x", number=number + 1), door.now)
    assert len(door.endpoint._admission._joins) == MAX_JOINERS


# -- name binding


def test_a_peer_that_claims_a_name_which_its_certificate_lacks_is_refused() -> None:
    door = Door(bind_names=True)
    door.hear(alive("victim", 9), peer=certificate_of("attacker"), source=address_of(9))
    assert door.endpoint.newcomers == 0
    assert door.endpoint.statistics.names_refused == {"claimed": 1}
    assert door.told(ProtocolError)[0].reason == "name_binding"


def test_a_bound_newcomer_is_a_member_once_its_certificate_is_seen() -> None:
    door = Door(bind_names=True)
    door.hear(alive("Node-2", 2))
    door.endpoint.peer_identified(address_of(2), certificate_of("node-2", "10.0.0.2"), door.now)
    door.answer("Node-2", 2)
    assert door.names == {"Node-2"}


@pytest.mark.parametrize("names", [("other",), (), ("*",), ("*.example",), ("node-2.example",)])
def test_a_bound_newcomer_with_another_certificate_is_none(names: tuple[str, ...]) -> None:
    door = Door(bind_names=True)
    door.hear(alive("node-2", 2))
    door.endpoint.peer_identified(address_of(2), certificate_of(*names), door.now)
    door.drain()
    assert door.endpoint.newcomers == 0
    assert door.endpoint.statistics.names_refused == {"contacted": 1}
    door.hear(alive("node-2", 2, incarnation=7))
    assert door.endpoint.newcomers == 0
    assert door.endpoint.statistics.names_refused == {"contacted": 1, "known": 1}


def test_a_bound_newcomer_that_answers_unseen_is_none() -> None:
    door = Door(bind_names=True)
    door.hear(alive("node-2", 2))
    door.answer("node-2", 2)
    assert door.names == set()
    assert door.endpoint.statistics.names_refused == {"contacted": 1}


def test_a_member_whose_address_shows_another_name_is_taken_out() -> None:
    door = Door(bind_names=True)
    exchange = door.endpoint.join(address_of(9), door.now)
    seed = certificate_of("seed")
    table = (entry("seed", 9), entry("node-2", 2), entry("node-3", 3))
    door.endpoint.stream_replied(exchange, PushPull(False, table), door.now, seed)
    door.drain()
    assert door.names == {"seed", "node-2", "node-3"}
    door.endpoint.peer_identified(address_of(2), certificate_of("somebody"), door.now)
    door.endpoint.peer_identified(address_of(3), certificate_of("node-3"), door.now)
    door.drain()
    assert door.names == {"seed", "node-3"}
    [gone] = door.told(MemberLeft)
    assert (gone.member.name, gone.member.state) == ("node-2", MemberState.LEFT)
    assert door.endpoint.statistics.members_quarantined == 1
    assert door.endpoint.member("node-2") is None
    door.endpoint.start(door.now)
    door.run(30.0)  # nothing of it is left to trip over


def test_a_bound_sender_must_be_in_its_own_table() -> None:
    door = Door(bind_names=True)
    attacker = certificate_of("attacker", host="10.0.0.9")
    assert not door.join("nobody", peer=attacker)
    assert door.endpoint.statistics.names_refused == {"state": 1}
    assert door.endpoint.newcomers == 0
    assert door.join("attacker", peer=attacker)


def test_without_binding_names_are_not_asked() -> None:
    door = Door()
    door.hear(alive("victim", 9), peer=certificate_of("attacker"), source=address_of(9))
    door.endpoint.peer_identified(address_of(9), certificate_of("attacker"), door.now)
    door.answer("victim", 9)
    assert door.names == {"victim"}


@pytest.mark.parametrize(
    ("peer", "speaks", "bound"),
    [
        (None, True, True),
        (certificate_of("node-2"), True, True),
        (certificate_of("other", host="10.0.0.2"), True, False),
        (certificate_of("seen", host="10.0.0.77"), True, False),
        (certificate_of("other", host="10.0.0.77"), False, False),
        (certificate_of("*", host="10.0.0.77"), False, False),
    ],
)
def test_who_may_speak_for_a_member(peer: PeerIdentity | None, speaks: bool, bound: bool) -> None:
    """By name, by the certificate seen at its address, or by its host; by name alone if names are bound."""
    for bind, expected in ((False, speaks), (True, bound)):
        door = Door(bind_names=bind)
        door.hear(alive("node-2", 2), peer=certificate_of("node-2", host="10.0.0.2"), source=address_of(2))
        assert door.names == {"node-2"}
        seen = certificate_of("seen", "node-2") if bind else certificate_of("seen")
        door.endpoint.peer_identified(address_of(2), seen, door.now)
        assert door.endpoint.speaks_for("node-2", peer) is expected
        assert not door.endpoint.speaks_for("nobody", peer)
