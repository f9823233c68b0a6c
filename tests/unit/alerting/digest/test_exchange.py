"""An exchange costs what differs."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable

import pytest

from tests.support.replicas import HOUR, NOW, Replicas, Wire, exchange, silence, silences
from tocsin.alerting.digest import exchange as exchange_module
from tocsin.alerting.digest.exchange import Exchange
from tocsin.alerting.digest.memory import Memory
from tocsin.alerting.digest.messages import (
    Content,
    Envelope,
    Groups,
    Later,
    Leaves,
    Message,
    StateGroups,
    StateSummary,
    Summary,
    Transfer,
    decode,
    encode,
)
from tocsin.alerting.digest.replica import ENTRY_BYTES_AT_ONCE
from tocsin.alerting.digest.tree import (
    GROUPS,
    LEAF_AT_ONCE,
    LEAVES,
    LEAVES_IN_GROUP,
    Tombstone,
    cutoff_of,
    identity_of,
)
from tocsin.alerting.skew import MAX_SKEW
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import SECOND
from tocsin.errors import StateError

MINUTE = 60 * SECOND


def stepped(steps: Steps[object]) -> int:
    """How many there were."""
    return sum(1 for _ in steps)


def pair(count: int) -> tuple[Replicas, Replicas]:
    one, other = Replicas("one"), Replicas("other")
    for node in (one, other):
        node.take("sil", silences(count), NOW)
    return one, other


def test_equal_states_cost_next_to_nothing() -> None:
    wire = Wire()
    assert exchange(*pair(5000), wire=wire).agreed
    assert (wire.messages, wire.bytes < 200) == (2, True)


def test_an_exchange_that_is_over_or_given_up_is_free_without_a_collection() -> None:
    node = Replicas("one")
    node.take("sil", silences(10), NOW)
    gc.disable()
    try:
        one = Exchange("one", node.states, Memory(), 1, NOW)
        one.request(NOW)
        gone = weakref.ref(one)
        del one
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("lacking", [0, 1])
def test_one_difference_costs_little_whichever_side_lacks_it(lacking: int) -> None:
    nodes = pair(5000)
    nodes[1 - lacking].take("sil", silence("new", NOW, NOW + HOUR), NOW)
    wire = Wire()
    assert exchange(*nodes, wire=wire).agreed
    assert wire.bytes < 2500
    assert nodes[0].content(NOW) == nodes[1].content(NOW)


@pytest.mark.parametrize("empty", [0, 1])
def test_a_fresh_node_gets_all_in_bounded_messages(empty: int) -> None:
    nodes = [Replicas("one"), Replicas("other")]
    data = silences(6000)
    nodes[1 - empty].take("sil", data, NOW)
    wire = Wire()
    assert exchange(nodes[0], nodes[1], wire=wire).agreed
    assert len(nodes[empty].silences) == 6000
    assert wire.bytes < 1.5 * len(data)
    assert wire.longest < ENTRY_BYTES_AT_ONCE + 64 * 1024


def test_what_a_fresh_node_lacks_is_not_listed_once_it_has_half_of_it() -> None:
    empty, full = Replicas("one"), Replicas("other")
    data = silences(6000)
    full.take("sil", data, NOW)
    wire = Wire()
    assert exchange(empty, full, wire=wire).agreed
    assert wire.messages <= 20, "two summaries, and eight times 512 leaves"


def test_clocks_that_differ_and_garbage_collected_by_one_make_no_difference() -> None:
    one, other = pair(10)
    ending = silence("ending", NOW, NOW + 3 * MINUTE)
    for node in (one, other):
        node.take("sil", ending, NOW)
    ahead = NOW + 5 * MINUTE
    assert one.silences.gc(ahead) == 1
    for asking, answering in ((one, other), (other, one)):
        outcome = exchange(
            asking,
            answering,
            asking_now=ahead if asking is one else NOW,
            answering_now=ahead if answering is one else NOW,
        )
        assert (outcome.agreed, outcome.given, outcome.received) == (True, 0, 0)


@pytest.mark.parametrize("asking", [0, 1])
def test_an_older_version_is_buried_by_a_newer_that_is_collected(asking: int) -> None:
    nodes = pair(3)
    older, newer = silence("k", NOW, NOW + 50 * HOUR), silence("k", NOW + SECOND, NOW + HOUR)
    for node in nodes:
        node.take("sil", older, NOW)
    nodes[0].take("sil", newer, NOW)
    later = NOW + 2 * HOUR
    nodes[0].silences.gc(later)
    assert nodes[0].silences.get("k") is None
    exchange(nodes[asking], nodes[1 - asking], asking_now=later, answering_now=later)
    assert nodes[1].silences.get("k") is None
    assert nodes[0].content(later) == nodes[1].content(later)


def test_a_clock_set_back_finds_its_entries_again() -> None:
    one, other = pair(50)
    far = NOW + 1000 * HOUR
    exchange(one, other, asking_now=far, answering_now=far)
    assert len(one.states["sil"].digests) == 0
    one.take("sil", silence("new", NOW, NOW + HOUR), NOW)
    assert exchange(one, other).agreed
    assert one.content(NOW) == other.content(NOW)
    assert len(other.states["sil"].digests) == 51


def test_a_cutoff_at_the_end_of_time_makes_no_states_equal() -> None:
    """What expires before a cutoff counts as absent."""
    one, other = Replicas("one"), Replicas("other")
    one.take("sil", silence("new", NOW, NOW + HOUR), NOW)
    far = cutoff_of(NOW + MAX_SKEW) + 1
    with pytest.raises(StateError, match="further in the future"):
        other.responder.answer(Message(Envelope("one", 1, far), Summary(())), NOW)
    asking = Exchange("one", one.states, Memory(), 1, NOW)
    asking.request(NOW)
    with pytest.raises(StateError, match="further in the future"):
        asking.receive(Message(Envelope("other", 1, far), Later()), NOW)
    assert asking.finished
    assert not asking.outcome.agreed


def test_a_small_question_about_all_entries_is_answered_in_steps() -> None:
    """At a cutoff that is ahead all that expires until then is counted anew: with many entries for tenths of
    a second."""
    node = Replicas("one")
    node.take("sil", silences(10_000), NOW)
    far = cutoff_of(NOW + MAX_SKEW)
    summary = Message(Envelope("other", 1, far), Summary((StateSummary("sil", 1, 1),)))
    assert stepped(node.responder.answering(summary, NOW)) >= 9
    leaves = Leaves("sil", 0, False, dict.fromkeys(range(GROUPS), (0,) * LEAVES_IN_GROUP))
    assert stepped(node.responder.answering(Message(Envelope("other", 1, far), leaves), NOW)) >= 9
    now = Message(Envelope("other", 1, cutoff_of(NOW)), leaves)
    assert stepped(node.responder.answering(now, NOW)) >= 5
    assert node.silences.replicated.digests.view(far).size == 0


def test_tombstones_are_taken_in_steps() -> None:
    node = Replicas("one")
    node.take("sil", silences(2_000), NOW)
    buried = [
        (identity_of(f"s-{n:032x}".encode()), Tombstone(NOW + SECOND, NOW + HOUR)) for n in range(2_000)
    ]
    transfer = Message(Envelope("other", 1, cutoff_of(NOW)), Transfer("sil", (), tuple(buried), b""))
    assert stepped(node.responder.answering(transfer, NOW)) >= 30
    assert not len(node.silences)


def test_a_peer_that_says_it_has_nothing_or_is_ahead_is_heard_in_steps() -> None:
    node = Replicas("one")
    node.take("sil", silences(10_000), NOW)
    asking = Exchange("one", node.states, Memory(), 1, NOW)
    asking.request(NOW)
    far = cutoff_of(NOW + MAX_SKEW)
    asking.receive(Message(Envelope("other", 1, far), Later()), NOW)
    assert stepped(asking.requesting(NOW)) >= 9
    asking = Exchange("one", node.states, Memory(), 1, NOW)
    asking.request(NOW)
    here = Envelope("other", 1, cutoff_of(NOW))
    asking.receive(Message(here, Groups((StateGroups("sil", 0, (0,) * GROUPS),))), NOW)
    asking.request(NOW)
    content = Content("sil", LEAVES, tuple(range(LEAVES)), (), (), b"")
    assert stepped(asking.receiving(Message(here, content), NOW)) >= 39


class Ground(Replicas):
    """Whose silences were made until their identities began with the same bits, so that one leaf has all."""

    def __init__(self, name: str, identities: Iterable[bytes], *, expires_at: int = NOW + HOUR) -> None:
        super().__init__(name)
        self.asked = self.silences.replicated
        for number, identity in enumerate(identities):
            self.asked.digests.put(identity, number + 1, NOW - SECOND, expires_at, number)


def ground(count: int) -> list[bytes]:
    return [bytes(2) + identity_of(str(number).encode())[2:] for number in range(count)]


ONE_LEAF = Leaves("sil", 0, False, {0: (1 << 60,) * LEAVES_IN_GROUP})
HERE = Envelope("other", 7, cutoff_of(NOW))


@pytest.mark.parametrize("expires_at", [NOW + HOUR, NOW - HOUR])
def test_of_a_leaf_with_all_entries_a_part_is_listed_in_steps(expires_at: int) -> None:
    node = Ground("one", ground(10_000), expires_at=expires_at)
    steps = node.responder.answering(Message(HERE, ONE_LEAF), NOW)
    assert stepped(steps) >= 9
    answer = node.responder.answer(Message(HERE, ONE_LEAF), NOW).body
    assert isinstance(answer, Content)
    assert len(answer.items) + len(answer.tombstones) == LEAF_AT_ONCE
    assert decode(encode(Message(HERE, answer))).body == answer


def about(node: Replicas, content: Content) -> Exchange:
    """An exchange that has heard so of the first leaf."""
    asking = Exchange("one", node.states, Memory(), 7, NOW)
    asking.request(NOW)
    asking.receive(Message(HERE, Groups((StateGroups("sil", 5, (1,) * GROUPS),))), NOW)
    asking.request(NOW)
    assert stepped(asking.receiving(Message(HERE, content), NOW)) >= 9
    return asking


def test_of_a_leaf_with_all_entries_a_part_is_given_to_who_lists_none() -> None:
    node = Ground("one", ground(10_000))
    asking = about(node, Content("sil", LEAVES, (0,), (), (), b""))
    assert len(asking._gives) == LEAF_AT_ONCE


def test_what_comes_after_a_part_that_was_listed_is_not_taken_for_lacking() -> None:
    identities = ground(10_000)
    one, other = Ground("one", identities), Ground("other", identities[:-3])
    answer = other.responder.answer(Message(HERE, ONE_LEAF), NOW).body
    assert isinstance(answer, Content)
    asking = about(one, answer)
    assert not asking._gives
    assert not asking._wants
    while not asking.finished:
        asking.receive(other.responder.answer(asking.request(NOW), NOW), NOW)
    assert not asking.outcome.agreed, "there is more that was not compared"


def test_each_exchange_compares_another_part_of_a_leaf_with_all_entries() -> None:
    identities = ground(10_000)
    node = Ground("one", identities)
    seen: set[bytes] = set()
    for nonce in range(1, 40):
        question = Message(Envelope("other", nonce << 55 | nonce, cutoff_of(NOW)), ONE_LEAF)
        answer = node.responder.answer(question, NOW).body
        assert isinstance(answer, Content)
        seen.update(item.identity for item in answer.items)
    assert len(seen) > 9_000


def test_entries_that_expire_in_the_same_minute_are_taken_out_in_steps() -> None:
    node = Ground("one", ground(10_000), expires_at=NOW + MINUTE)
    later = NOW + 2 * MINUTE
    summary = Message(HERE, Summary(()))
    assert stepped(node.responder.answering(summary, later)) >= 30
    asking = Exchange("one", node.states, Memory(), 1, NOW)
    assert stepped(asking.requesting(NOW)) >= 30, "and put back for a clock that was set back"
    assert len(node.asked.digests) == 10_000


def test_an_exchange_passes_a_bounded_number_of_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange_module, "MAX_PASSED", 100)
    full, empty = Replicas("one"), Replicas("other")
    full.take("sil", silences(1_000), NOW)
    outcome = exchange(full, empty)
    assert (len(empty.silences), outcome.agreed) == (100, False)
    monkeypatch.undo()
    assert exchange(full, empty).agreed
    assert len(empty.silences) == 1_000
