"""What a peer says of others where the transport knows who speaks: nobody is taken away by another's word."""

from __future__ import annotations

import pytest

from tests.support.endpoints import Bench, address_of, alive, encode, entry
from tocsin.gossip.address import Address
from tocsin.gossip.core.effects import MemberJoined, MemberLeft, NameConflict, UserMessage
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.wire.messages import Ack, Alive, Dead, MemberState, Message, Ping, PushPull, Suspect, User

LAST = 2**32 - 1
LIAR = PeerIdentity("liar", frozenset({"liar"}), str(address_of(9).host))
OTHER_PROTOCOL = b"\4\5\4\0\0\0"


def peer_of(number: int) -> PeerIdentity:
    return PeerIdentity(f"certificate {number}", frozenset(), address_of(number).host)


def tell(bench: Bench, peer: PeerIdentity, *messages: Message) -> None:
    """A packet of a peer that the transport knows."""
    for packet in bench.codec.encode([encode(message) for message in messages], checksum=False):
        bench.endpoint.receive_packet(packet, address_of(9), bench.now, peer)
    bench.drain()


@pytest.fixture
def bench() -> Bench:
    """With the members ``node-2`` to ``node-4``, at incarnation 1."""
    made = Bench()
    made.populate(3)
    made.run(5)
    made.events.clear()
    made.sent.clear()
    return made


@pytest.mark.parametrize("accuser", ["node-2", "node-3", "liar"])
class TestSaidByOthers:
    def test_the_member_is_asked_and_stays_if_it_answers(self, bench: Bench, accuser: str) -> None:
        verdict = Dead(7, "node-2", accuser)
        tell(bench, LIAR, verdict)
        assert [sent.destination for sent, messages in bench.sent if verdict in messages] == [address_of(2)]
        assert bench.endpoint.statistics.verdicts_put == 1
        tell(bench, peer_of(2), alive("node-2", 2, incarnation=8))
        bench.run(60)
        assert bench.member("node-2").state is MemberState.ALIVE
        assert not bench.told(MemberLeft)
        assert not bench.told(MemberJoined)

    def test_it_counts_if_the_member_says_nothing(self, bench: Bench, accuser: str) -> None:
        tell(bench, LIAR, Dead(7, "node-2", accuser))
        assert bench.member("node-2").state is MemberState.ALIVE
        bench.run(5)
        left = accuser == "node-2"
        assert bench.member("node-2").state is (MemberState.LEFT if left else MemberState.DEAD)
        assert [event.member.name for event in bench.told(MemberLeft)] == ["node-2"]

    def test_many_at_rising_incarnations_are_one(self, bench: Bench, accuser: str) -> None:
        """The member answers some of them, and each answer ends the trial."""
        for number in range(1, 41):
            tell(bench, LIAR, *[Dead(100 * number + each, "node-2", accuser) for each in range(10)])
            bench.run(bench.config.gossip_interval / 4)
            if number % 4 == 0:
                tell(bench, peer_of(2), alive("node-2", 2, incarnation=100 * number + 1))
        assert bench.member("node-2").live
        assert bench.endpoint.statistics.verdicts_put <= 11

    def test_the_name_is_not_free_for_another_address(self, bench: Bench, accuser: str) -> None:
        tell(bench, LIAR, Dead(7, "node-2", accuser), alive("node-2", 9, incarnation=8))
        assert bench.member("node-2").address == address_of(2)
        assert bench.told(NameConflict)


@pytest.mark.parametrize(
    "peer", [peer_of(2), PeerIdentity("certificate", frozenset({"node-2"}), address_of(77).host), None]
)
def test_who_leaves_by_its_own_word_leaves_at_once(bench: Bench, peer: PeerIdentity | None) -> None:
    """``None``: of a transport that knows nobody, what comes is believed."""
    if peer is None:
        bench.feed(Dead(1, "node-2", "node-2"))
    else:
        tell(bench, peer, Dead(1, "node-2", "node-2"))
    assert bench.member("node-2").state is MemberState.LEFT
    assert not bench.endpoint.statistics.verdicts_put


def test_who_left_is_not_asked_again(bench: Bench) -> None:
    tell(bench, peer_of(2), Dead(1, "node-2", "node-2"))
    tell(bench, LIAR, Dead(3, "node-2", "node-2"))
    assert not bench.endpoint.statistics.verdicts_put


class TestTheLastIncarnation:
    def test_nobody_says_it_of_another(self, bench: Bench) -> None:
        """There would be no answer to it: the member keeps what is false of it for as long as one runs."""
        tell(bench, LIAR, alive("node-2", 2, incarnation=LAST, meta=b"false"))
        tell(bench, LIAR, alive("node-2", 9, incarnation=LAST, meta=b"false"))
        assert bench.member("node-2").incarnation == 1
        assert bench.endpoint.statistics.unrefutable == 2

    def test_nobody_leaves_in_another_s_name(self, bench: Bench) -> None:
        tell(bench, peer_of(2), alive("node-2", 2, incarnation=LAST))
        tell(bench, LIAR, Dead(LAST, "node-2", "node-2"))
        bench.run(2)
        assert bench.member("node-2").live
        assert bench.endpoint.statistics.unrefutable == 1

    def test_the_member_itself_says_what_is_true_then(self, bench: Bench) -> None:
        tell(bench, LIAR, alive("node-2", 2, incarnation=LAST - 1, meta=b"false"))
        tell(bench, peer_of(2), alive("node-2", 2, incarnation=LAST, meta=b"true"))
        assert bench.member("node-2").meta == b"true"
        tell(bench, peer_of(2), alive("node-2", 2, incarnation=LAST, meta=b"newer"))
        assert bench.member("node-2").meta == b"newer"
        tell(bench, peer_of(2), Dead(LAST, "node-2", "node-2"))
        assert bench.member("node-2").state is MemberState.LEFT
        tell(bench, peer_of(2), alive("node-2", 2, incarnation=LAST, meta=b"newer"))
        assert bench.member("node-2").live


class TestVersions:
    """A member that says to speak another protocol would keep all others from exchanging their states."""

    def test_nobody_says_what_does_not_fit(self, bench: Bench) -> None:
        tell(bench, LIAR, alive("node-2", 2, incarnation=9, versions=OTHER_PROTOCOL))
        bench.feed(alive("new", 5, versions=OTHER_PROTOCOL))
        assert bench.member("node-2").incarnation == 1
        assert bench.endpoint.member("new") is None
        assert bench.endpoint.statistics.messages_refused == 2

    def test_nor_two_what_does_not_fit_together(self, bench: Bench) -> None:
        bench.feed(alive("one", 5, versions=b"\1\5\5\0\0\0"), alive("two", 6, versions=b"\2\2\2\0\0\0"))
        assert bench.endpoint.member("one") is not None
        assert bench.endpoint.member("two") is None

    def test_it_may_come_once_the_other_is_forgotten(self, bench: Bench) -> None:
        bench.feed(alive("one", 5, versions=b"\1\5\5\0\0\0"), Dead(1, "one", "one"))
        bench.run(1)
        bench.endpoint.start(bench.now)
        bench.run(200)
        bench.feed(alive("two", 6, versions=b"\2\2\2\0\0\0"))
        assert bench.endpoint.member("two") is not None

    def test_what_we_know_of_others_keeps_nobody_from_an_exchange(self, bench: Bench) -> None:
        bench.feed(alive("one", 5, versions=b"\1\5\5\0\0\0"))
        state = PushPull(False, (entry("node-2", 2), entry("two", 6, versions=b"\2\2\2\0\0\0")))
        assert list(bench.endpoint.receive_stream(state, address_of(2), bench.now))
        assert bench.endpoint.statistics.merges_refused == 0


def test_a_suspicion_may_come_from_anybody_and_is_refuted(bench: Bench) -> None:
    tell(bench, LIAR, *[Suspect(5, "node-2", name) for name in ("node-3", "node-4", "nobody")])
    assert bench.member("node-2").state is MemberState.SUSPECT
    tell(bench, peer_of(2), alive("node-2", 2, incarnation=6))
    bench.run(60)
    assert bench.member("node-2").state is MemberState.ALIVE
    assert not [one for one in bench.messages(Alive) if one.node == "node-2" and one.incarnation < 6]


def test_nobody_answers_a_ping_in_the_place_of_a_member_that_is_gone() -> None:
    """The numbers of pings were 1, 2, ...: who sent acks of many kept a member that hangs alive."""
    bench = Bench(started=True)
    bench.populate(2)
    for _ in range(120):
        tell(bench, LIAR, *[Ack(number) for number in range(500)])
        bench.run(0.5)
    numbers = [one.sequence_number for one in bench.messages(Ping)]
    assert len(set(numbers)) > 2
    assert max(numbers) < 1 << 31
    assert not [member for member in bench.endpoint.members() if member.name != "me"]


class TestWhoSentIt:
    """What a packet brings waits with what else comes from its sender: nobody sends in another's place."""

    def test_the_address_of_another_member_is_not_taken(self, bench: Bench) -> None:
        assert self.told_by(bench, LIAR) == Address(LIAR.host, address_of(2).port)
        assert bench.endpoint.statistics.senders_doubted == 1

    @pytest.mark.parametrize(
        "peer",
        [peer_of(2), PeerIdentity("translated", frozenset({"node-2"}), "192.0.2.1"), None],
        ids=["at its host", "by its name", "not known"],
    )
    def test_its_own_is(self, bench: Bench, peer: PeerIdentity | None) -> None:
        assert self.told_by(bench, peer) == address_of(2)
        assert bench.endpoint.statistics.senders_doubted == 0

    def test_nor_is_one_behind_an_address_translation_doubted(self, bench: Bench) -> None:
        peer = PeerIdentity("certificate 2", frozenset(), "192.0.2.1")
        bench.endpoint.peer_identified(address_of(2), peer_of(2), bench.now)
        assert self.told_by(bench, peer) == address_of(2)

    def told_by(self, bench: Bench, peer: PeerIdentity | None) -> Address:
        """The source of a message in a packet that names the address of ``node-2``."""
        for packet in bench.codec.encode([encode(User(b"x"))], checksum=False):
            bench.endpoint.receive_packet(packet, address_of(2), bench.now, peer)
        bench.drain()
        [event] = bench.told(UserMessage)
        return event.source


@pytest.mark.parametrize("left", [False, True])
def test_what_only_the_last_incarnation_answers_takes_nobody_away(bench: Bench, left: bool) -> None:
    """Once it did: the answer counts as the member's own word only, and others heard it from others."""
    accuser = "node-2" if left else "liar"
    tell(bench, LIAR, Suspect(LAST - 1, "node-2", "liar"))
    tell(bench, LIAR, Dead(LAST - 1, "node-2", accuser))
    for _ in range(60):
        tell(bench, peer_of(3), alive("node-2", 2, incarnation=LAST))
        bench.run(0.5)
    assert bench.member("node-2").state is MemberState.ALIVE
    assert not bench.told(MemberLeft)


def test_a_member_at_the_incarnation_before_the_last_leaves_by_its_own_word(bench: Bench) -> None:
    tell(bench, peer_of(2), alive("node-2", 2, incarnation=LAST - 1))
    tell(bench, peer_of(2), Dead(LAST - 1, "node-2", "node-2"))
    assert bench.member("node-2").state is MemberState.LEFT


@pytest.mark.parametrize("incarnations", [(1, 1), (1, 2)])
def test_a_leave_that_comes_while_a_death_waits_is_a_leave(
    bench: Bench, incarnations: tuple[int, int]
) -> None:
    """Else who left could not come back at another address until it is forgotten."""
    death, leave = incarnations
    tell(bench, LIAR, Dead(death, "node-2", "liar"))
    tell(bench, peer_of(3), Dead(leave, "node-2", "node-2"))
    assert bench.endpoint.statistics.verdicts_put == 1
    bench.run(5)
    assert bench.member("node-2").state is MemberState.LEFT
