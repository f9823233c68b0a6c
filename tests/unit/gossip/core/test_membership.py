"""The member state rules, one by one (wire 2.9)."""

from __future__ import annotations

import pytest

from tests.support.endpoints import Bench, address_of, alive, entry, swim
from tocsin.gossip.address import Address
from tocsin.gossip.core.effects import (
    MemberJoined,
    MemberLeft,
    MemberUpdated,
    NameConflict,
    ProtocolError,
)
from tocsin.gossip.wire.messages import Alive, Dead, MemberState, PushPull, Suspect

ALIVE, SUSPECT, DEAD, LEFT = MemberState
LAST = 2**32 - 1


def refused(bench: Bench) -> int:
    """Messages refused, be it by the codec or by the rules; each is told of."""
    statistics = bench.endpoint.statistics
    count = statistics.messages_refused + statistics.packets_refused
    assert len(bench.told(ProtocolError)) == count
    return count


class TestAlive:
    def test_an_unknown_member_joins_and_is_gossiped_on(self) -> None:
        bench = Bench()
        bench.feed(alive("b", 2, incarnation=3, meta=b"role"))
        member = bench.member("b")
        assert (member.state, member.incarnation, member.address, member.meta) == (
            ALIVE,
            3,
            address_of(2),
            b"role",
        )
        assert bench.told(MemberJoined) == [MemberJoined(member)]
        assert [m.name for m in bench.endpoint.members()] == ["me", "b"]
        assert bench.until(Alive)[0].destination == address_of(2)
        assert alive("b", 2, incarnation=3, meta=b"role") in bench.messages(Alive)

    def test_an_unknown_member_with_incarnation_0_is_not_accepted(self) -> None:
        bench = Bench()
        bench.feed(alive("b", 2, incarnation=0))
        assert bench.endpoint.member("b") is None

    @pytest.mark.parametrize(
        "versions", [b"", b"\1", b"\1\5\2", b"\1\5\2\0\0", b"\0\5\2\0\0\0", b"\1\0\2\0\0\0", b"\5\1\2\0\0\0"]
    )
    def test_bad_versions_are_ignored_and_counted(self, versions: bytes) -> None:
        bench = Bench()
        bench.feed(alive("b", 2, versions=versions))
        assert bench.endpoint.member("b") is None
        assert refused(bench) == 1

    @pytest.mark.parametrize(
        "message", [alive("", 2), alive("b", 2, meta=b"x" * 513), alive("b", 2, address=b"\1\2\3")]
    )
    def test_no_name_long_meta_and_odd_addresses_are_refused(self, message: Alive) -> None:
        bench = Bench()
        bench.feed(message)
        assert bench.endpoint.known == 1
        assert refused(bench) == 1

    def test_port_0_means_our_own_port(self) -> None:
        bench = Bench()
        bench.feed(alive("b", 2, port=0))
        assert bench.member("b").address == address_of(2)

    def test_an_older_or_equal_incarnation_changes_nothing(self) -> None:
        bench = Bench()
        bench.feed(alive("b", 2, incarnation=5))
        before = bench.member("b")
        bench.feed(alive("b", 2, incarnation=5, meta=b"new"), alive("b", 2, incarnation=4))
        assert bench.member("b") is before

    def test_a_newer_incarnation_brings_new_meta(self) -> None:
        bench = Bench()
        bench.feed(alive("b", 2))
        bench.feed(alive("b", 2, incarnation=2, meta=b"new"))
        bench.feed(alive("b", 2, incarnation=3, meta=b"new"))
        assert [event.member.meta for event in bench.told(MemberUpdated)] == [b"new"]
        assert len(bench.told(MemberJoined)) == 1

    def test_both_wire_forms_of_an_ipv4_address_are_one(self) -> None:
        bench = Bench()
        bench.feed(alive("b", 2))
        bench.feed(alive("b", 2, incarnation=2, address=bytes(10) + b"\xff\xff" + address_of(2).packed))
        assert bench.member("b").incarnation == 2
        assert not bench.told(NameConflict)

    def test_another_address_for_a_known_name_is_a_conflict(self) -> None:
        bench = Bench()
        bench.feed(alive("b", 2))
        bench.feed(alive("b", 3, incarnation=9))
        assert bench.member("b").address == address_of(2)
        assert bench.told(NameConflict) == [NameConflict(bench.member("b"), address_of(3))]
        assert bench.endpoint.statistics.name_conflicts == 1

    def test_the_dead_keep_their_address_too(self) -> None:
        bench = Bench()
        bench.feed(alive("b", 2), Dead(1, "b", "c"))
        bench.run(25)
        bench.feed(alive("b", 3, incarnation=9))
        assert bench.member("b").state is DEAD
        assert bench.told(NameConflict)

    def test_after_the_reclaim_time_a_dead_name_may_move(self) -> None:
        bench = Bench(dead_node_reclaim_time=10.0)
        bench.feed(alive("b", 2), Dead(1, "b", "c"))
        bench.run(10)
        bench.feed(alive("b", 3, incarnation=1))
        assert bench.member("b").state is DEAD
        bench.run(1)
        bench.feed(alive("b", 3, incarnation=1))
        assert (bench.member("b").state, bench.member("b").address) == (ALIVE, address_of(3))

    def test_who_left_may_come_back_elsewhere_with_any_incarnation(self) -> None:
        bench = Bench()
        bench.feed(alive("b", 2, incarnation=9), Dead(9, "b", "b"))
        bench.feed(alive("b", 2, incarnation=9))
        assert bench.member("b").state is LEFT
        bench.feed(alive("b", 3, incarnation=1))
        assert (bench.member("b").state, bench.member("b").incarnation) == (ALIVE, 1)
        assert len(bench.told(MemberJoined)) == 2

    def test_a_full_table_refuses_and_counts(self) -> None:
        bench = Bench(max_members=5)
        bench.populate(10)
        assert bench.endpoint.known == 5
        assert bench.endpoint.statistics.members_refused == 6


class TestOurselves:
    def test_our_own_words_coming_back_are_nothing(self) -> None:
        bench = Bench()
        bench.feed(alive("me", 1, incarnation=1))
        assert bench.endpoint.local.incarnation == 1

    @pytest.mark.parametrize(
        "message",
        [alive("me", 1, meta=b"?"), alive("me", 1, incarnation=2), alive("me", 1, versions=b"\1\4\2\0\0\0")],
    )
    def test_words_that_we_never_said_are_refuted(self, message: Alive) -> None:
        bench = Bench()
        bench.feed(message)
        assert bench.endpoint.local.incarnation == message.incarnation + 1
        assert bench.endpoint.health_score == 1

    @pytest.mark.parametrize("accusation", [Suspect(7, "me", "b"), Dead(7, "me", "b"), Dead(7, "me", "me")])
    def test_accused_at_7_we_answer_with_8(self, accusation: Suspect | Dead) -> None:
        bench = Bench()
        bench.populate(1)
        bench.feed(accusation)
        assert (bench.endpoint.local.state, bench.endpoint.local.incarnation) == (ALIVE, 8)
        bench.until(Alive)
        assert alive("me", 1, incarnation=8) in bench.messages(Alive)
        assert bench.endpoint.statistics.refutations == 1

    def test_a_flood_of_accusations_is_answered_once_in_a_gossip_interval(self) -> None:
        """Else one peer makes the whole cluster talk of nothing but our incarnations."""
        bench = Bench()
        bench.populate(1)
        bench.feed(Suspect(7, "me", "b"))
        for incarnation in range(8, 108):
            bench.feed(Suspect(incarnation, "me", "b"), Dead(incarnation, "me", "b"))
        assert bench.endpoint.local.incarnation == 8, "answered at once"
        bench.run(bench.config.gossip_interval)
        assert bench.endpoint.local.incarnation == 108, "and all others by one answer past the highest"
        assert bench.endpoint.statistics.refutations == bench.endpoint.health_score == 2
        bench.run(bench.config.gossip_interval)
        assert bench.endpoint.statistics.refutations == 2

    def test_an_accusation_that_waits_is_dropped_if_we_have_gone_past_it(self) -> None:
        bench = Bench()
        bench.feed(Suspect(7, "me", "b"))
        bench.feed(Suspect(8, "me", "b"))
        bench.endpoint.update_meta(b"new", bench.now)
        bench.run(bench.config.gossip_interval)
        assert (bench.endpoint.local.incarnation, bench.endpoint.statistics.refutations) == (9, 1)

    def test_whoever_leaves_does_not_answer_what_waits(self) -> None:
        bench = Bench()
        bench.populate(1)
        bench.feed(Suspect(7, "me", "b"))
        bench.feed(Suspect(8, "me", "b"))
        bench.endpoint.leave(bench.now)
        bench.run(bench.config.gossip_interval)
        assert bench.endpoint.local.incarnation == 8

    def test_an_old_accusation_is_not_worth_an_answer(self) -> None:
        bench = Bench()
        bench.feed(Suspect(7, "me", "b"))
        bench.feed(Suspect(7, "me", "b"), Dead(6, "me", "b"), Suspect(0, "me", "b"))
        assert bench.endpoint.local.incarnation == 8

    @pytest.mark.parametrize(
        "accusation", [Suspect(LAST, "me", "b"), Dead(LAST, "me", "me"), alive("me", 1, LAST)]
    )
    def test_the_last_incarnation_cannot_be_outbid_and_does_not_move_us(
        self, accusation: Suspect | Dead | Alive
    ) -> None:
        bench = Bench()
        bench.feed(accusation)
        assert (bench.endpoint.local.state, bench.endpoint.local.incarnation) == (ALIVE, 1)
        assert bench.endpoint.statistics.unrefutable == 1

    def test_the_one_before_the_last_still_can(self) -> None:
        bench = Bench()
        bench.feed(Suspect(LAST - 1, "me", "b"))
        assert bench.endpoint.local.incarnation == LAST
        bench.endpoint.update_meta(b"new", bench.now)
        assert bench.endpoint.local.incarnation == LAST

    def test_another_address_under_our_name_is_a_conflict(self) -> None:
        bench = Bench()
        bench.feed(alive("me", 9, incarnation=50))
        assert bench.endpoint.local.incarnation == 1
        assert bench.told(NameConflict) == [NameConflict(bench.endpoint.local, address_of(9))]

    def test_new_meta_goes_out_under_the_next_incarnation(self) -> None:
        bench = Bench()
        bench.populate(1)
        bench.endpoint.update_meta(b"new", bench.now)
        bench.until(Alive)
        assert alive("me", 1, incarnation=2, meta=b"new") in bench.messages(Alive)
        assert alive("me", 1, incarnation=1) not in bench.messages(Alive)


class TestSuspect:
    def test_a_suspect_is_still_a_member_until_its_time_is_over(self) -> None:
        bench = Bench()
        bench.populate(1)
        bench.feed(Suspect(1, "node-2", "accuser"))
        assert bench.member("node-2").state is SUSPECT
        assert len(bench.endpoint.members()) == 2
        assert not bench.told(MemberLeft)
        bench.run(3.999)
        assert bench.member("node-2").state is SUSPECT
        bench.run(0.002)
        assert bench.member("node-2").state is DEAD
        assert bench.told(MemberLeft) == [MemberLeft(bench.member("node-2"))]
        bench.run(1)
        assert Dead(1, "node-2", "me") in bench.messages(Dead)  # the dead hear of it too

    def test_confirmations_hasten_the_end_and_are_gossiped_once_each(self) -> None:
        bench = Bench()
        bench.populate(9)
        bench.feed(Suspect(1, "node-2", "a"))
        bench.run(1)
        bench.feed(Suspect(1, "node-2", "a"), Suspect(1, "node-2", "b"), Suspect(1, "node-2", "b"))
        assert bench.endpoint.statistics.confirmations == 1
        bench.run(1)
        assert Suspect(1, "node-2", "b") in bench.messages(Suspect)
        bench.run(9.3)
        assert bench.member("node-2").state is SUSPECT
        bench.run(0.1)  # 11.381 s after the start
        assert bench.member("node-2").state is DEAD

    def test_confirmed_past_its_time_it_is_dead_at_once(self) -> None:
        bench = Bench()
        bench.populate(9)
        bench.feed(Suspect(1, "node-2", "a"))
        bench.run(5)
        bench.feed(Suspect(1, "node-2", "b"), Suspect(1, "node-2", "c"))
        bench.run(0)
        assert bench.member("node-2").state is DEAD

    def test_who_suspects_more_than_half_waits_as_if_a_confirmation_were_missing(self) -> None:
        """Rather it is cut off itself, and those who agree with it as well."""
        bench = Bench()
        names = bench.populate(6)
        for name in names[:4]:
            bench.feed(*(Suspect(1, name, accuser) for accuser in "abc"))
        bench.run(11.3)
        assert all(bench.member(name).state is SUSPECT for name in names[:4])
        bench.run(0.1)  # 11.381 s after the start
        assert any(bench.member(name).state is DEAD for name in names[:4])
        bench.run(1)
        assert all(bench.member(name).state is DEAD for name in names[:4])

    def test_and_does_not_when_it_is_only_half(self) -> None:
        bench = Bench()
        names = bench.populate(5)
        for name in names[:3]:
            bench.feed(*(Suspect(1, name, accuser) for accuser in "abc"))
        bench.run(4.01)
        assert all(bench.member(name).state is DEAD for name in names[:3])

    def test_or_when_enough_have_refuted_meanwhile(self) -> None:
        bench = Bench()
        names = bench.populate(6)
        for name in names[:4]:
            bench.feed(*(Suspect(1, name, accuser) for accuser in "abc"))
        bench.run(4.5)
        bench.feed(alive(names[0], 2, incarnation=2))
        bench.run(1)
        assert all(bench.member(name).state is DEAD for name in names[1:4])
        assert bench.member(names[0]).state is ALIVE

    def test_up_to_three_members_cannot_wait_for_more(self) -> None:
        bench = Bench()
        names = bench.populate(2)
        bench.feed(*(Suspect(1, name, "a") for name in names))
        bench.run(4.01)
        assert all(bench.member(name).state is DEAD for name in names)

    def test_anothers_accusation_does_not_take_the_place_of_our_own(self) -> None:
        """Two accuse at once and hear of each other before they have told anybody: both are told."""
        bench, own, other = Bench(), Suspect(1, "node-2", "me"), Suspect(1, "node-2", "a")
        bench.populate(5)
        bench.run(5)
        swim(bench).apply_suspect(own, bench.now, witnessed=True)
        bench.feed(other)
        bench.run(3)
        assert {own, other} == set(bench.messages(Suspect))

    def test_a_refuted_accusation_is_not_told_any_more(self) -> None:
        bench = Bench()
        bench.populate(5)
        bench.run(5)
        swim(bench).apply_suspect(Suspect(1, "node-2", "me"), bench.now, witnessed=True)
        bench.feed(Suspect(1, "node-2", "a"))
        bench.feed(alive("node-2", 2, incarnation=2))
        bench.run(3)
        assert not bench.messages(Suspect)

    def test_a_refutation_ends_the_suspicion(self) -> None:
        bench = Bench()
        bench.populate(1)
        bench.feed(Suspect(1, "node-2", "a"))
        bench.feed(alive("node-2", 2, incarnation=1))
        assert bench.member("node-2").state is SUSPECT
        bench.feed(alive("node-2", 2, incarnation=2))
        bench.run(100)
        assert bench.member("node-2").state is ALIVE

    def test_the_suspect_takes_the_incarnation_of_the_accusation(self) -> None:
        bench = Bench()
        bench.populate(1)
        bench.feed(Suspect(6, "node-2", "a"))
        assert bench.member("node-2").incarnation == 6

    def test_unknown_old_and_dead_suspects_are_nothing(self) -> None:
        bench = Bench()
        bench.feed(alive("b", 2, incarnation=3), alive("c", 3), Dead(1, "c", "b"))
        bench.feed(Suspect(2, "b", "x"), Suspect(1, "c", "x"), Suspect(1, "nobody", "x"))
        assert [bench.member(name).state for name in "bc"] == [ALIVE, DEAD]
        assert bench.endpoint.known == 3

    @pytest.mark.parametrize("old", [Suspect(2, "b", "x"), Dead(2, "b", "x")])
    def test_who_repeats_an_outdated_accusation_has_missed_the_refutation_and_gets_it(
        self, old: Suspect | Dead
    ) -> None:
        bench = Bench(started=True, push_pull_interval=0.0, probe_interval=0.0)
        bench.feed(alive("b", 2, incarnation=3))
        while bench.endpoint.queued_broadcasts:
            bench.next()
        bench.feed(old, old)
        assert bench.endpoint.statistics.accusations_outdated == 1
        _, told = bench.until(Alive)
        assert told == alive("b", 2, incarnation=3)

    def test_so_do_we_of_ourselves(self) -> None:
        bench = Bench(started=True, push_pull_interval=0.0, probe_interval=0.0)
        bench.populate(1)
        bench.feed(Suspect(1, "me", "x"))
        while bench.endpoint.queued_broadcasts:
            bench.next()
        bench.feed(Suspect(1, "me", "x"))
        _, told = bench.until(Alive)
        assert (told.node, told.incarnation) == ("me", 2)


class TestDead:
    def test_a_death_is_told_once_and_gossiped(self) -> None:
        bench = Bench()
        bench.populate(2)
        bench.feed(Dead(1, "node-2", "node-3"))
        bench.feed(Dead(1, "node-2", "node-3"), Dead(2, "node-2", "node-2"))
        assert bench.member("node-2").state is DEAD
        assert len(bench.told(MemberLeft)) == 1
        bench.run(2)
        assert Dead(1, "node-2", "node-3") in bench.messages(Dead)

    def test_accused_by_itself_it_left(self) -> None:
        bench = Bench()
        bench.populate(1)
        bench.feed(Dead(1, "node-2", "node-2"))
        assert bench.member("node-2").state is LEFT
        assert bench.told(MemberLeft) == [MemberLeft(bench.member("node-2"))]

    def test_an_old_or_unknown_death_is_nothing(self) -> None:
        bench = Bench()
        bench.feed(alive("b", 2, incarnation=3))
        bench.feed(Dead(2, "b", "c"), Dead(1, "nobody", "c"))
        assert bench.member("b").state is ALIVE

    def test_nobody_is_killed_with_an_incarnation_that_cannot_be_outbid(self) -> None:
        bench = Bench()
        bench.populate(1)
        bench.feed(Dead(LAST, "node-2", "x"), Dead(LAST, "node-2", "node-2"), Suspect(LAST, "node-2", "x"))
        assert (bench.member("node-2").state, bench.member("node-2").incarnation) == (ALIVE, 1)
        assert bench.endpoint.statistics.unrefutable == 3
        bench.feed(alive("node-2", 2, incarnation=LAST), Dead(LAST, "node-2", "node-2"))
        assert bench.member("node-2").state is LEFT  # who got there may still say goodbye

    def test_a_dead_member_comes_back_with_a_higher_incarnation_only(self) -> None:
        bench = Bench()
        bench.populate(1)
        bench.feed(Dead(4, "node-2", "x"))
        bench.feed(alive("node-2", 2, incarnation=4))
        assert bench.member("node-2").state is DEAD
        bench.feed(alive("node-2", 2, incarnation=5))
        assert bench.member("node-2").state is ALIVE
        assert len(bench.told(MemberJoined)) == 2

    def test_the_dead_are_forgotten_after_their_time(self) -> None:
        bench = Bench(started=True)
        bench.populate(2)
        bench.feed(Dead(1, "node-2", "x"), Dead(1, "node-3", "node-3"))
        bench.run(29)
        assert bench.endpoint.known == 3
        bench.run(3)
        assert bench.endpoint.known == 1
        assert bench.endpoint.statistics.members_reaped == 2


class TestRestart:
    @pytest.mark.parametrize("state", [ALIVE, SUSPECT, DEAD, LEFT])
    def test_a_new_life_outbids_what_is_held_of_the_old_one(self, state: MemberState) -> None:
        bench = Bench()
        exchange = bench.endpoint.join(address_of(2), bench.now)
        bench.drain()
        table = (entry("b", 2), entry("me", 1, incarnation=6, state=state))
        bench.endpoint.stream_replied(exchange, PushPull(join=False, nodes=table), bench.now)
        assert (bench.endpoint.local.state, bench.endpoint.local.incarnation) == (ALIVE, 7)


class TestLeave:
    def test_leaving_is_told_to_several_at_once_and_then_gossiped(self) -> None:
        bench = Bench(started=True)
        bench.populate(5)
        bench.sent.clear()
        bench.endpoint.leave(bench.now)
        bench.drain()
        assert {action.destination for action, _ in bench.sent} == {address_of(n) for n in range(2, 7)}
        assert set(bench.messages(Dead)) == {Dead(1, "me", "me")}
        assert not bench.endpoint.left
        bench.run(1)
        assert bench.endpoint.left
        assert len(bench.messages(Dead)) == 5 + 4
        assert "me" not in [member.name for member in bench.endpoint.members()]
        assert not bench.told(MemberLeft)

    def test_alone_there_is_nobody_to_tell(self) -> None:
        bench = Bench(started=True)
        assert not bench.endpoint.left
        bench.endpoint.leave(bench.now)
        assert bench.endpoint.left

    def test_nobody_brings_us_back(self) -> None:
        bench = Bench(started=True)
        bench.populate(1)
        bench.endpoint.leave(bench.now)
        bench.feed(alive("me", 1, incarnation=9), Suspect(9, "me", "b"), Dead(9, "me", "b"))
        assert bench.endpoint.local.state is LEFT
        assert bench.endpoint.statistics.refutations == 0


def test_a_mapped_own_address_is_held_as_ipv4() -> None:
    bench = Bench()
    bench.endpoint.set_address(Address("::ffff:10.0.0.1", 9094))
    assert bench.endpoint.local.address == address_of(1)


def test_a_member_is_found_by_its_address_as_long_as_it_has_it() -> None:
    bench = Bench(gossip_to_the_dead_time=1.0, probe_interval=0.5, started=True)
    bench.feed(alive("b", 2))
    membership = bench.endpoint._table
    assert membership.at_address(address_of(1)) == bench.endpoint.local
    assert membership.at_address(address_of(2)) == bench.endpoint.member("b")
    assert membership.at_address(address_of(3)) is None
    bench.feed(Dead(1, "b", "b"))
    bench.feed(alive("b", 3, incarnation=2))
    assert membership.at_address(address_of(2)) is None
    assert membership.at_address(address_of(3)) == bench.endpoint.member("b")
    # A process that came back under a new name: the one that lives counts, also when the old one changes.
    bench.feed(alive("c", 3))
    bench.feed(Dead(2, "b", "me-not"))
    assert membership.at_address(address_of(3)) == bench.endpoint.member("c")
    bench.feed(Dead(1, "c", "c"))
    bench.run(5)
    assert bench.endpoint.known == 1
    assert membership.at_address(address_of(3)) is None
    assert membership._names == {address_of(1): "me"}
