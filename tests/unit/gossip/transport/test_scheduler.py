"""One peer's work does not take the event loop from the others."""

from __future__ import annotations

import asyncio

import pytest

from tocsin.bounded.allowance import MAX_DEBT, Allowance
from tocsin.gossip.transport.scheduler import FairScheduler


def test_after_a_rest_a_burst_is_free_and_then_it_pays_by_the_rate() -> None:
    allowance = Allowance(rate=0.25, burst=0.5)
    assert allowance.wait("peer", 100.0) == 0.0
    allowance.charge("peer", 0.5, 100.0)
    assert allowance.wait("peer", 100.0) == 0.0
    allowance.charge("peer", 0.01, 100.0)
    assert allowance.wait("peer", 100.0) == pytest.approx(0.04)
    assert allowance.wait("peer", 100.04) == pytest.approx(0.0)
    assert allowance.wait("other", 100.0) == 0.0


def test_what_is_saved_up_is_bounded() -> None:
    allowance = Allowance(rate=0.5, burst=0.1)
    allowance.charge("peer", 0.001, 0.0)
    allowance.charge("peer", 0.2, 1_000.0)
    assert allowance.wait("peer", 1_000.0) == pytest.approx(0.2)


def test_a_debt_is_bounded() -> None:
    allowance = Allowance(rate=0.5, burst=0.1)
    for _ in range(1_000):
        allowance.charge("peer", 0.02, 0.0)
    assert allowance.wait("peer", 0.0) == MAX_DEBT
    assert allowance.wait("peer", MAX_DEBT) == 0.0


def test_peers_that_have_rested_are_forgotten_and_many_busy_ones_are_bounded() -> None:
    allowance = Allowance(rate=0.5, burst=0.1)
    for number in range(4_000):
        allowance.charge(number, 0.01, 0.0)
    for number in range(200):
        allowance.charge(("later", number), 0.01, 100.0)
    assert len(allowance) <= 200
    for number in range(20_000):
        allowance.charge(("busy", number), 1.0, 100.0)
    assert len(allowance) <= 4_097


def test_the_work_of_one_peer_is_done_in_order_and_another_peer_need_not_wait_for_it() -> None:
    async def story() -> None:
        now = 0.0
        scheduler = FairScheduler(rate=0.5, burst=0.1, clock=lambda: now)
        done: list[str] = []

        def work(name: str) -> None:
            done.append(name)

        scheduler.charge("busy", began=-0.3)  # It owes 0.4 s.
        assert not scheduler.may_go_on("busy")
        for name in ("one", "two"):
            scheduler.later("busy", lambda name=name: work(name))  # type: ignore[misc]
        scheduler.later("calm", lambda: work("calm"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert done == ["calm"]
        now = 1.0
        await scheduler.wait_for("busy")
        assert done == ["calm", "one", "two"]
        assert scheduler.may_go_on("busy")

    asyncio.run(story())


def test_each_peer_has_one_piece_of_work_in_a_turn_of_the_loop() -> None:
    async def story() -> None:
        scheduler = FairScheduler(rate=0.5, burst=10.0)
        done: list[str] = []
        for number in range(3):
            for peer in ("a", "b"):
                scheduler.later(peer, lambda peer=peer, number=number: done.append(f"{peer}{number}"))  # type: ignore[misc]
        await scheduler.wait_for("a")
        assert done[:4] == ["a0", "b0", "a1", "b1"]

    asyncio.run(story())
