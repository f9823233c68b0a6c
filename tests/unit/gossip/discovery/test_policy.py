"""Which addresses are peers, from sources that change, fail and come back."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tocsin.gossip.address import Address
from tocsin.gossip.discovery.policy import (
    GRACE_INTERVALS,
    LEAST_LIFETIME,
    MOST_LIFETIME,
    Answered,
    Ask,
    Discovered,
    Discovery,
    DiscoveryEvent,
    Forgotten,
    Renamed,
)
from tocsin.gossip.discovery.sources import Answer, File, Literal, Name, Service, Source, Target

INTERVAL = 15.0
GRACE = GRACE_INTERVALS * INTERVAL
POOL = Name("pool.example", 9094, dns=True)
SERVICE = Service("_gossip._tcp.example")
FILE = File("peers")


def target(number: int, host: str = "pool.example") -> Target:
    return Target(Address(f"10.0.0.{number}", 9094), host)


def listing(*numbers: int, lifetime: float | None = None) -> Answer:
    return Answer(targets=tuple(target(number) for number in numbers), lifetime=lifetime)


def discovery(*roots: Source, restored: tuple[Target, ...] = (), max_targets: int = 4096) -> Discovery:
    return Discovery(
        roots or (POOL,),
        interval=INTERVAL,
        random=Random(1),
        now=0.0,
        restored=restored,
        max_targets=max_targets,
    )


def addresses(machine: Discovery) -> set[str]:
    return {each.address.host for each in machine.targets}


def changes(machine: Discovery) -> list[DiscoveryEvent]:
    return [event for event in machine.drain() if not isinstance(event, (Answered, Ask))]


def asked(machine: Discovery, now: float) -> list[Source]:
    """Which sources are to be asked by now."""
    machine.handle_timeout(now)
    return [effect.source for effect in machine.drain() if isinstance(effect, Ask)]


def pass_grace(machine: Discovery, now: float) -> float:
    now += GRACE + 1
    machine.handle_timeout(now)
    return now


def test_every_source_is_asked_at_once_and_then_again_and_again() -> None:
    machine = discovery(POOL, FILE)
    assert asked(machine, 0.0) == [POOL, FILE]
    assert asked(machine, 0.0) == []  # both are under way
    assert machine.next_timeout() is None
    now = 0.0
    for _ in range(50):
        machine.answered(POOL, listing(1), now)
        due = machine.next_timeout()
        assert due is not None
        assert 0.9 * INTERVAL <= due - now <= 1.1 * INTERVAL
        now = due
        assert asked(machine, now) == [POOL]


def test_waits_differ_so_that_a_cluster_does_not_ask_in_step() -> None:
    waits = set()
    for seed in range(20):
        machine = Discovery([POOL], interval=INTERVAL, random=Random(seed), now=0.0)
        asked(machine, 0.0)
        machine.answered(POOL, listing(1), 0.0)
        waits.add(machine.next_timeout())
    assert len(waits) == 20


def test_a_lifetime_is_the_interval_within_bounds() -> None:
    for lifetime, expected in ((0.0, LEAST_LIFETIME), (30.0, 30.0), (86_400.0, MOST_LIFETIME)):
        machine = discovery()
        asked(machine, 0.0)
        machine.answered(POOL, listing(1, lifetime=lifetime), 0.0)
        due = machine.next_timeout()
        assert due is not None
        assert 0.9 * expected <= due <= 1.1 * expected


def test_a_failure_is_tried_again_soon_and_for_ever() -> None:
    machine = discovery()
    now, waits = 0.0, []
    for _ in range(100):
        assert asked(machine, now) == [POOL]
        machine.failed(POOL, now)
        due = machine.next_timeout()
        assert due is not None
        waits.append(due - now)
        now = due
    assert waits[0] < 3
    assert max(waits) <= 1.1 * INTERVAL
    assert machine.statistics.failures["name"] == 100
    assert machine.statistics.sources_failing == 1
    asked(machine, now)
    machine.answered(POOL, listing(1), now)
    assert addresses(machine) == {"10.0.0.1"}
    assert machine.statistics.sources_failing == 0


def test_what_was_said_last_holds_while_the_source_fails() -> None:
    machine = discovery()
    machine.answered(POOL, listing(1, 2), 0.0)
    assert changes(machine) == [Discovered(target(1)), Discovered(target(2))]
    now = 1.0
    for _ in range(10):
        machine.failed(POOL, now)
        now = pass_grace(machine, now)
    assert addresses(machine) == {"10.0.0.1", "10.0.0.2"}
    assert changes(machine) == []


def test_an_answer_that_lists_nobody_replaces_no_list() -> None:
    machine = discovery()
    machine.answered(POOL, listing(1), 0.0)
    machine.answered(POOL, Answer(), 15.0)
    pass_grace(machine, 15.0)
    assert addresses(machine) == {"10.0.0.1"}
    assert machine.statistics.empty_answers == 1


def test_what_is_listed_no_more_is_forgotten_after_the_grace_time() -> None:
    machine = discovery()
    machine.answered(POOL, listing(1, 2), 0.0)
    changes(machine)
    machine.answered(POOL, listing(2), 15.0)
    assert addresses(machine) == {"10.0.0.1", "10.0.0.2"}
    machine.handle_timeout(15.0 + GRACE - 1)
    assert machine.lists(target(1).address)
    assert machine.host(target(1).address) == "pool.example"
    machine.handle_timeout(15.0 + GRACE)
    assert changes(machine) == [Forgotten(target(1))]
    assert not machine.lists(target(1).address)
    assert machine.statistics.forgotten == 1


def test_a_server_that_answers_with_a_part_of_its_records_makes_nobody_come_and_go() -> None:
    machine = discovery()
    machine.answered(POOL, listing(1, 2, 3), 0.0)
    changes(machine)
    now = 0.0
    for turn in range(200):
        now += INTERVAL
        machine.handle_timeout(now)
        machine.answered(POOL, listing(turn % 3 + 1), now)
    assert addresses(machine) == {"10.0.0.1", "10.0.0.2", "10.0.0.3"}
    assert changes(machine) == []


def test_a_service_leads_to_names_and_a_name_that_fails_keeps_its_addresses() -> None:
    one, two = Name("a.example", 1, dns=True), Name("b.example", 2, dns=True)
    machine = discovery(SERVICE)
    machine.answered(SERVICE, Answer(sources=(one, two)), 0.0)
    assert machine.drain() == [Answered(SERVICE, (one, two))]
    assert set(asked(machine, 0.0)) >= {one, two}
    machine.answered(one, Answer(targets=(target(1, "a.example"),)), 0.0)
    machine.answered(two, Answer(targets=(target(2, "b.example"),)), 0.0)
    machine.failed(two, 15.0)
    assert addresses(machine) == {"10.0.0.1", "10.0.0.2"}
    machine.answered(SERVICE, Answer(sources=(one,)), 20.0)
    pass_grace(machine, 20.0)
    assert addresses(machine) == {"10.0.0.1"}
    machine.answered(two, listing(9), 21.0)  # came too late: nobody watches it any more
    assert addresses(machine) == {"10.0.0.1"}


def test_a_file_is_looked_at_more_often_than_a_name_is_asked() -> None:
    machine = discovery(FILE)
    machine.answered(FILE, Answer(sources=(Literal(Address("10.0.0.1", 1)),)), 0.0)
    asked(machine, 0.0)
    machine.answered(Literal(Address("10.0.0.1", 1)), Answer(targets=(target(1),)), 0.0)
    due = machine.next_timeout()
    assert due is not None
    assert due < 3


def test_the_list_of_an_earlier_life_counts_once_a_source_has_failed_until_all_have_answered() -> None:
    machine = discovery(POOL, FILE, restored=(target(7), target(8)))
    assert addresses(machine) == set()
    machine.failed(POOL, 0.0)
    assert addresses(machine) == {"10.0.0.7", "10.0.0.8"}
    assert machine.statistics.restored == 2
    machine.answered(FILE, listing(1), 1.0)
    assert addresses(machine) == {"10.0.0.1", "10.0.0.7", "10.0.0.8"}
    machine.answered(POOL, listing(7), 2.0)
    assert machine.statistics.restored == 0
    assert machine.complete
    pass_grace(machine, 2.0)
    assert addresses(machine) == {"10.0.0.1", "10.0.0.7"}


def test_it_does_not_count_when_discovery_works() -> None:
    machine = discovery(restored=(target(7),))
    machine.answered(POOL, listing(1), 0.0)
    machine.failed(POOL, 15.0)
    assert addresses(machine) == {"10.0.0.1"}


def test_what_is_worth_keeping_is_told_when_it_changes_and_is_never_empty() -> None:
    machine = discovery()
    machine.answered(POOL, Answer(), 0.0)
    assert not machine.dirty
    machine.answered(POOL, listing(1), 1.0)
    assert machine.dirty
    assert machine.lasting == [target(1)]
    machine.dirty = False
    machine.answered(POOL, listing(1), 2.0)
    assert not machine.dirty


def test_one_address_of_two_sources_is_one_peer_and_keeps_its_name() -> None:
    machine = discovery(Literal(target(1).address), POOL)
    machine.answered(Literal(target(1).address), Answer(targets=(target(1, ""),)), 0.0)
    machine.answered(POOL, listing(1), 0.0)
    assert machine.targets == [target(1)]
    assert machine.host(target(1).address) == "pool.example"


def test_the_number_of_peers_is_bounded_and_refusals_are_counted() -> None:
    machine = discovery(max_targets=2)
    machine.answered(POOL, listing(1, 2, 3), 0.0)
    assert len(machine.targets) == 2
    assert machine.statistics.targets_refused == 1


def test_what_a_source_had_to_leave_out_is_counted() -> None:
    machine = discovery()
    machine.answered(POOL, Answer(targets=(target(1),), refused=7), 0.0)
    assert machine.statistics.targets_refused == 7


def test_a_file_that_lists_itself_ends() -> None:
    machine = discovery(FILE)
    machine.answered(FILE, Answer(sources=(FILE,)), 0.0)
    assert machine.targets == []


outcomes = st.lists(
    st.tuples(
        st.floats(0.0, 40.0),
        st.one_of(st.none(), st.lists(st.integers(1, 5), max_size=4)),
    ),
    max_size=40,
)


@given(outcomes)
def test_whatever_the_answers_every_change_is_told_once_and_the_last_good_list_holds(
    story: list[tuple[float, list[int] | None]],
) -> None:
    machine = discovery()
    now, told, good = 0.0, set[str](), list[int]()
    for wait, answer in story:
        now += wait
        machine.handle_timeout(now)
        if answer is None:
            machine.failed(POOL, now)
        else:
            machine.answered(POOL, listing(*answer), now)
            good = answer or good
        for event in changes(machine):
            assert isinstance(event, Discovered | Forgotten)
            host = event.target.address.host
            assert (host in told) is isinstance(event, Forgotten)
            told ^= {host}
        assert told == addresses(machine)
        assert {target(number).address.host for number in good} <= told
        assert machine.next_timeout() is not None


def test_an_address_that_is_found_by_another_name_is_told_of_and_discovered_but_once() -> None:
    machine = discovery()
    machine.answered(POOL, listing(1, 2), 0.0)
    changes(machine)
    machine.answered(POOL, Answer(targets=(target(1, "other.example"), target(2))), 1.0)
    assert changes(machine) == [Renamed(target(1, "other.example"))]
    machine.answered(POOL, listing(2), 2.0)
    machine.answered(POOL, listing(1, 2), 3.0)  # out of its grace time
    assert changes(machine) == [Renamed(target(1))]
    machine.answered(POOL, listing(1, 2), 4.0)
    assert changes(machine) == []
