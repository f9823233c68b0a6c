from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.gossip.core.awareness import Awareness
from tocsin.gossip.core.swim.suspicion import Suspicion, confirmations_wanted, minimum_timeout


@pytest.mark.parametrize(
    ("known", "minimum", "wanted"),
    [(1, 4.0, 0), (3, 4.0, 0), (4, 4.0, 2), (10, 4.0, 2), (11, 4.164, 2), (100, 8.0, 2), (1000, 12.0, 2)],
)
def test_the_minimum_grows_with_the_logarithm_of_the_cluster(known: int, minimum: float, wanted: int) -> None:
    assert minimum_timeout(4, known, 1.0) == pytest.approx(minimum)
    assert confirmations_wanted(4, known) == wanted


def test_up_to_three_nodes_a_suspect_has_the_minimum_at_once() -> None:
    suspicion = Suspicion("accuser", 100.0, 4.0, 24.0, wanted=0)
    assert suspicion.deadline == 104.0
    assert not suspicion.confirm("another")
    assert suspicion.deadline == 104.0


def test_each_confirmation_shortens_the_timeout_down_to_the_minimum() -> None:
    suspicion = Suspicion("accuser", 100.0, 4.0, 24.0, wanted=2)
    assert suspicion.deadline == 124.0
    assert not suspicion.confirm("accuser")
    assert suspicion.confirm("second")
    assert suspicion.timeout == pytest.approx(11.381)  # 24 - ln 2 / ln 3 x 20, to the millisecond below
    assert not suspicion.confirm("second")
    assert suspicion.confirm("third")
    assert suspicion.timeout == 4.0
    assert not suspicion.confirm("fourth")
    assert suspicion.confirmations == 2


def test_it_may_turn_out_to_have_begun_earlier_and_never_later() -> None:
    suspicion = Suspicion("accuser", 100.0, 4.0, 24.0, wanted=0)
    assert not suspicion.predate(100.5)
    assert suspicion.predate(99.5)
    assert suspicion.deadline == 103.5


@given(st.lists(st.text(max_size=2)), st.integers(0, 5), st.integers(1, 10_000))
def test_the_timeout_never_grows_and_stays_between_its_bounds(
    accusers: list[str], wanted: int, known: int
) -> None:
    minimum = minimum_timeout(4, known, 1.0)
    suspicion = Suspicion("first", 0.0, minimum, 6 * minimum, wanted)
    timeout = suspicion.timeout
    for accuser in accusers:
        suspicion.confirm(accuser)
        assert minimum <= suspicion.timeout <= timeout
        timeout = suspicion.timeout
    assert suspicion.confirmations <= wanted


def test_awareness_stays_in_its_range_and_scales() -> None:
    awareness = Awareness(8)
    assert awareness.scale(1.0) == 1.0
    awareness.apply(-1)
    assert awareness.score == 0
    awareness.apply(3)
    assert awareness.scale(0.5) == 2.0
    awareness.apply(100)
    assert awareness.score == 7
