"""Handshakes by HTTP: so many a second in all, and of IPv6 a whole /64 is one client."""

from __future__ import annotations

from tocsin.node.http.bounds import HTTPBounds, HTTPStatistics
from tocsin.node.http.connections import Connections
from tocsin.node.http.pace import Pace


def test_a_burst_goes_at_once_and_the_rest_in_line() -> None:
    pace = Pace(10.0, 5)
    waits = [round(pace.book("", 100.0), 3) for _ in range(8)]
    assert waits == [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.2]
    assert pace.book("other", 100.0) == 0.0
    assert pace.book("", 200.0) == 0.0


def test_it_remembers_a_bounded_number_and_those_that_are_behind() -> None:
    pace = Pace(1.0, 1)
    for _ in range(10):
        pace.book("busy", 0.0)
    for number in range(10_000):
        pace.book(str(number), 0.0)
    assert len(pace) <= 4097
    assert pace.book("busy", 0.0) > 5.0


def test_a_network_of_ipv6_has_the_places_of_one_address() -> None:
    statistics = HTTPStatistics()
    connections = Connections(HTTPBounds(connections_per_address=4), statistics, lambda: 0.0)
    for number in range(100):
        connections.admit(f"2001:db8::{number:x}", lambda _reason: None)
    assert statistics.connections == 4
    assert connections.admit("2001:db8:0:1::1", lambda _reason: None) is not None
