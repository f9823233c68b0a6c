"""How many moments lie before or after a time."""

from __future__ import annotations

from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from tocsin.alerting import moments
from tocsin.alerting.moments import Moments

times = st.integers(0, 9)


@given(st.lists(st.one_of(st.tuples(st.just("add"), times), st.tuples(st.just("remove"), times), times)))
def test_it_counts_as_if_one_by_one(story: list[tuple[str, int] | int]) -> None:
    with mock.patch.object(moments, "_FEW", 2):
        held = Moments()
        known: list[int] = []
        for event in story:
            if isinstance(event, int):
                assert held.before(event) == sum(each < event for each in known)
                assert held.after(event) == sum(each > event for each in known)
            elif event[0] == "add":
                held.add_all([event[1]]) if len(known) % 2 else held.add(event[1])
                known.append(event[1])
            elif event[1] in known:
                held.remove(event[1])
                known.remove(event[1])
        assert held.before(5) + held.after(4) == len(known)
