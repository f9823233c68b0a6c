"""Large changes: batched for each member, bounded, and never silently lost."""

from __future__ import annotations

from tocsin.node.cluster.courier import Batch, Courier


def test_a_change_goes_to_every_member() -> None:
    courier = Courier()
    courier.add(["a", "b"], "sil", b"one")
    assert courier.batches() == [Batch("a", "sil", b"one", 1), Batch("b", "sil", b"one", 1)]


def test_what_gathers_while_a_batch_is_under_way_leaves_together() -> None:
    courier = Courier()
    courier.add(["a"], "sil", b"1")
    [first] = courier.batches()
    for change in (b"2", b"3", b"4"):
        courier.add(["a"], "sil", change)
    assert courier.batches() == []
    courier.finished(first, success=True)
    assert courier.batches() == [Batch("a", "sil", b"234", 3)]
    assert courier.sent == {"sil": 1}


def test_a_stuck_member_holds_up_nobody_else() -> None:
    courier = Courier()
    courier.add(["stuck", "well"], "sil", b"1")
    stuck, well = courier.batches()
    courier.finished(well, success=True)
    courier.add(["stuck", "well"], "sil", b"2")
    assert courier.batches() == [Batch("well", "sil", b"2", 1)]
    assert stuck.member == "stuck"


def test_kinds_of_state_are_not_mixed_and_keep_their_order() -> None:
    courier = Courier()
    for key, change in (("sil", b"1"), ("sil", b"2"), ("nfl", b"3"), ("sil", b"4")):
        courier.add(["a"], key, change)
    seen = []
    while batches := courier.batches():
        seen += [(batch.key, batch.data) for batch in batches]
        courier.finished(batches[0], success=True)
    assert seen == [("sil", b"12"), ("nfl", b"3"), ("sil", b"4")]


def test_batches_are_bounded_but_a_single_large_change_still_goes() -> None:
    courier = Courier(batch_bytes=4)
    for change in (b"12", b"34", b"5", b"6789abc"):
        courier.add(["a"], "sil", change)
    seen = []
    while batches := courier.batches():
        seen.append(batches[0].data)
        courier.finished(batches[0], success=True)
    assert seen == [b"1234", b"5", b"6789abc"]


def test_a_drop_is_counted_and_asks_for_an_exchange_of_states() -> None:
    courier = Courier(max_bytes=3)
    courier.add(["a"], "sil", b"123")
    courier.add(["a"], "sil", b"4")
    assert courier.dropped == {"sil": 1}
    assert courier.missed() == []
    [batch] = courier.batches()
    courier.finished(batch, success=True)
    assert courier.missed() == ["a"]
    assert courier.missed() == []


def test_a_failed_batch_asks_for_an_exchange_of_states() -> None:
    courier = Courier()
    courier.add(["a"], "sil", b"1")
    [batch] = courier.batches()
    courier.finished(batch, success=False)
    assert courier.failed == {"sil": 1}
    assert courier.missed() == ["a"]


def test_a_member_that_is_gone_costs_nothing() -> None:
    courier = Courier()
    courier.add(["a"], "sil", b"1")
    [batch] = courier.batches()
    courier.add(["a"], "sil", b"2")
    courier.forget("a")
    courier.finished(batch, success=False)
    assert courier.queued_bytes == 0
    assert courier.batches() == []
    assert courier.missed() == []
