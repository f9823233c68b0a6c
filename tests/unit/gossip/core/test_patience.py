"""How long an answer is waited for: by the round trips that were measured, within the configured bounds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.endpoints import Bench, address_of
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.patience import Patience
from tocsin.gossip.core.peer_statistics import PeerStatistics
from tocsin.gossip.core.roundtrip import MARGIN, SmoothedRoundTrip
from tocsin.gossip.wire.messages import Ack, IndirectPing, Nack, Ping

SECONDS = st.floats(0, 10)


def measured(*trips: float) -> SmoothedRoundTrip:
    smoothed = SmoothedRoundTrip()
    for trip in trips:
        smoothed.add(trip)
    return smoothed


class TestSmoothed:
    def test_nothing_is_known_before_the_first(self) -> None:
        assert SmoothedRoundTrip().bound == 0

    def test_the_first_counts_threefold_as_in_rfc_6298(self) -> None:
        assert measured(0.2).bound == pytest.approx(0.6)

    def test_steady_round_trips_leave_the_margin_alone(self) -> None:
        assert measured(*[0.2] * 100).bound == pytest.approx(0.2 + MARGIN)

    def test_one_that_varies_gets_more_time(self) -> None:
        assert measured(*[0.1, 0.3] * 50).bound > 0.5

    @given(st.lists(SECONDS, min_size=1))
    def test_mean_and_deviation_stay_within_what_was_measured(self, trips: list[float]) -> None:
        smoothed = measured(*trips)
        assert min(trips) - 1e-9 <= smoothed.mean <= max(trips) + 1e-9
        assert 0 <= smoothed.variation <= max(trips) + 1e-9
        assert smoothed.bound >= smoothed.mean + MARGIN

    @given(st.floats(0, 1), st.floats(0, 1))
    def test_it_follows_a_way_that_becomes_longer_or_shorter(self, before: float, after: float) -> None:
        smoothed = measured(*[before] * 20, *[after] * 100)
        assert smoothed.mean == pytest.approx(after, abs=1e-3)


class TestPatience:
    CONFIG = GossipConfig()

    def patience(self, **trips: float) -> Patience:
        known = PeerStatistics()
        for name, trip in trips.items():
            for _ in range(100):
                known.answered(name, trip)
        return Patience(self.CONFIG, known)

    def test_without_a_measurement_it_is_as_configured(self) -> None:
        patience = self.patience()
        assert patience.direct("a") == 0.5
        assert patience.indirect("a", ["b"]) == 0.5
        assert patience.nacks("a", ["b"]) == pytest.approx(0.6)

    def test_near_members_change_nothing(self) -> None:
        patience = self.patience(a=0.001, b=0.002)
        assert patience.direct("a") == 0.5
        assert patience.indirect("a", ["b"]) == 0.5

    def test_far_ones_get_their_round_trip_and_relays_that_of_both(self) -> None:
        patience = self.patience(a=0.6, b=0.3)
        assert patience.direct("a") == pytest.approx(0.65)
        assert patience.indirect("a", ["b"]) == pytest.approx(1.3)
        assert patience.nacks("a", ["b"]) == pytest.approx(1.2 * 0.65 + 0.35)

    @given(st.lists(SECONDS, max_size=20), st.lists(SECONDS, max_size=20), st.floats(0.01, 5), SECONDS)
    def test_nothing_measured_is_below_the_configured_or_counts_for_more_than_an_interval(
        self, target: list[float], relay: list[float], timeout: float, interval: float
    ) -> None:
        config, known = replace(self.CONFIG, probe_timeout=timeout, probe_interval=interval), PeerStatistics()
        for trip in target:
            known.answered("target", trip)
        for trip in relay:
            known.answered_late("relay", trip)
        patience = Patience(config, known)
        assert timeout <= patience.direct("target") <= max(timeout, interval)
        assert interval - timeout <= patience.indirect("target", ["relay"]) <= 2 * interval
        assert patience.nacks("target", ["relay"]) >= 1.2 * timeout

    def test_who_is_forgotten_is_measured_anew(self) -> None:
        known = PeerStatistics()
        known.answered("a", 0.9)
        known.forget({"a"})
        assert known.bound("a") == 0


def far(bench: Bench, trip: float, times: int = 20) -> None:
    """The only other member answers so many pings itself, each after ``trip`` seconds."""
    for _ in range(times):
        action, ping = bench.until(Ping)
        bench.run(trip)
        bench.feed(Ack(ping.sequence_number), source=action.destination)


class TestProbes:
    def bench(self) -> Bench:
        bench = Bench(started=True, push_pull_interval=0.0)
        bench.populate(1)
        return bench

    def test_a_member_that_answers_late_is_soon_waited_for(self) -> None:
        bench = self.bench()
        far(bench, 0.7)
        bench.streams.clear()
        far(bench, 0.7)
        assert not bench.streams  # none was needed any more to know that it lives
        assert bench.endpoint.statistics.probes_failed == 0

    def test_what_others_relay_is_no_round_trip(self) -> None:
        bench = self.bench()
        for _ in range(5):
            _, ping = bench.until(Ping)
            bench.run(0.7)
            bench.feed(Ack(ping.sequence_number), source=address_of(77))
        assert bench.endpoint.of_peers.bound("node-2") == 0

    def test_late_answers_are_not_in_the_histogram(self) -> None:
        bench = self.bench()
        far(bench, 0.7, times=1)
        assert not bench.endpoint.of_peers.round_trips

    def test_one_late_answer_among_quick_ones_is_soon_forgotten(self) -> None:
        bench = Bench(started=True, push_pull_interval=0.0, probe_interval=5.0)
        bench.populate(1)
        known, timeout = bench.endpoint.of_peers, bench.endpoint.config.probe_timeout
        far(bench, 0.002, times=50)
        far(bench, 2.9, times=1)
        assert timeout < known.bound("node-2") < 3 * timeout
        far(bench, 0.002, times=8)
        assert known.bound("node-2") < timeout

    def test_one_that_answers_late_always_is_given_its_time_all_the_same(self) -> None:
        bench = Bench(started=True, push_pull_interval=0.0, probe_interval=5.0)
        bench.populate(1)
        far(bench, 2.9, times=3)
        assert bench.endpoint.of_peers.bound("node-2") >= 2.9

    def test_answers_by_others_get_the_time_that_they_take_there(self) -> None:
        bench = self.bench()
        far(bench, 0.7)
        _, ping = bench.until(Ping)
        bench.run(0.76 + 1.4)
        bench.feed(Ack(ping.sequence_number), source=address_of(77))
        assert bench.endpoint.statistics.probes_failed == 0

    def test_one_who_asks_us_to_ping_a_far_member_gets_its_answer(self) -> None:
        bench = self.bench()
        far(bench, 0.7)
        bench.sent.clear()
        target = address_of(2)
        bench.feed(
            IndirectPing(9, target.packed, target.port, "node-2", True, b"", 0, ""), source=address_of(3)
        )
        [relayed] = bench.messages(Ping)
        bench.run(0.7)
        bench.feed(Ack(relayed.sequence_number), source=target)
        assert Ack(9) in bench.messages(Ack)
        assert not bench.messages(Nack)
