"""The last events: what is told again, and when it is said that something is gone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tocsin.bounded import Touched
from tocsin.node.events.ring import EventRing
from tocsin.node.events.watch import Watch


def events_of(text: bytes) -> list[int]:
    return [int(line.rpartition(b"-")[2]) for line in text.splitlines() if line.startswith(b"id: ")]


@given(st.lists(st.one_of(st.none(), st.integers(1, 300)), max_size=60), st.integers(1, 400))
def test_a_reader_gets_every_event_once_and_in_order_or_hears_that_some_are_gone(
    steps: list[int | None], chunk: int
) -> None:
    """None is the reader's turn, a number an event of that size."""
    ring = EventRing("life", max_events=7, max_bytes=1000)
    number, seen = 0, 0
    for step in [*steps, *[None] * 60]:
        if step is not None:
            ring.append("alerts", b"x" * step)
            assert len(ring._events) <= 7
            assert ring._bytes <= 1000
            continue
        found = ring.after(number, chunk)
        if found is None:
            assert number < ring.oldest
            number = seen = ring.last
            continue
        published = events_of(found[0])
        assert published == list(range(seen + 1, seen + 1 + len(published)))
        assert bool(published) == (number < ring.last)
        assert len(found[0]) <= chunk or len(published) == 1
        number = found[1]
        seen += len(published)
    assert number == seen == ring.last


def test_an_id_is_good_while_all_after_it_are_kept() -> None:
    ring = EventRing("life", max_events=2)
    for _ in range(4):
        ring.append("alerts", b"{}")
    assert [ring.number(f"life-{number}") for number in range(6)] == [None, None, 2, 3, 4, None]
    for other in ("", "2", "other-2", "life-x", "life-", "life--2", "life-" + "9" * 30):
        assert ring.number(other) is None


def test_a_watch_tells_keys_within_a_bound_and_states_that_differ() -> None:
    alerts: Touched[int] = Touched(2)
    state = ["a"]
    watch = Watch(lambda: (("alerts", alerts),), (("cluster", lambda: state[0]),))
    alerts.add(1)
    watch.watch_for(on=True)
    assert watch.changes() == [], "what was before is not a change"
    for fingerprint in (255, 255, 1, 2, 3):
        alerts.add(fingerprint)
    state[0] = "b"
    assert watch.changes() == [("alerts", ["00000000000000ff", "0000000000000001"], 2), ("cluster", (), 0)]
    assert watch.changes() == []
    watch.watch_for(on=False)
    alerts.add(7)
    assert alerts.take() == ((), 0), "nobody looks, nothing is remembered"
