"""When a notification is needed, and how long to wait before the next attempt."""

from __future__ import annotations

from random import Random

import pytest

from tests.support.routing import T0, alert
from tocsin.alerting.backoff import MAX_INTERVAL, Backoff
from tocsin.alerting.comparison import hashes, needs_notification
from tocsin.alerting.integration import Integration
from tocsin.alerting.nflog import Entry, Receiver
from tocsin.alerting.timestamp import MILLISECOND, SECOND

HOUR = 3600 * SECOND


def _entry(firing: tuple[int, ...], resolved: tuple[int, ...] = (), age: int = 0) -> Entry:
    return Entry(
        group_key=b"{}:{}",
        receiver=Receiver("r", "webhook", 0),
        timestamp=T0 - age,
        firing_alerts=firing,
        resolved_alerts=resolved,
    )


@pytest.mark.parametrize(
    ("entry", "firing", "resolved", "send_resolved", "reason"),
    [
        (None, (1,), (), True, "first notification"),
        (None, (), (1,), True, None),
        (None, (), (), True, None),
        (_entry((1,)), (1, 2), (), True, "new alerts added"),
        (_entry((), (1,)), (1,), (), True, "first notification"),
        (_entry((1, 2)), (1,), (), True, None),
        (_entry((1, 2)), (1,), (2,), True, "some alerts resolved"),
        (_entry((1, 2)), (1,), (2,), False, None),
        (_entry((1, 2), (2,)), (1,), (2,), True, None),
        (_entry((1,)), (), (1,), True, "all alerts resolved"),
        (_entry((1,)), (), (1,), False, "all alerts resolved"),
        (_entry((), (1,)), (), (1,), True, None),
        (_entry((), (1,)), (), (2,), True, None),
        (_entry((1,), age=HOUR), (1,), (), True, None),
        (_entry((1,), age=HOUR + 1), (1,), (), True, "repeat interval elapsed"),
        (_entry((1, 2), age=HOUR + 1), (1,), (), True, "repeat interval elapsed"),
        (_entry((), (1,), age=HOUR + 1), (), (1,), True, None),
    ],
)
def test_the_log_says_whether_a_notification_is_needed(
    entry: Entry | None,
    firing: tuple[int, ...],
    resolved: tuple[int, ...],
    send_resolved: bool,
    reason: str | None,
) -> None:
    found = needs_notification(
        entry,
        firing=firing,
        resolved=resolved,
        send_resolved=send_resolved,
        repeat_interval=HOUR,
        now=T0,
    )
    assert found == reason


def test_alerts_are_numbered_as_in_the_log() -> None:
    one, two = alert(n="1"), alert(n="2", ends_at=T0)
    assert hashes((one, two), T0) == ((one.labels.hash,), (two.labels.hash,))


def test_the_wait_grows_by_half_to_a_minute_and_is_spread_by_half_either_way() -> None:
    class Extreme(Random):
        value = 0.0

        def random(self) -> float:
            return self.value

    random = Extreme()
    backoff = Backoff()
    assert [backoff.next(random) for _ in range(3)] == [250 * MILLISECOND, 375 * MILLISECOND, 562_500_000]
    for _ in range(20):
        backoff.next(random)
    assert backoff.next(random) == MAX_INTERVAL // 2
    random.value = 1 - 2**-53
    assert MAX_INTERVAL * 3 // 2 - 2 <= backoff.next(random) <= MAX_INTERVAL * 3 // 2


def test_an_integration_is_named_as_in_alertmanagers_errors() -> None:
    integration = Integration("team", "webhook", 1, True)
    assert str(integration) == "team/webhook[1]"
    assert integration.log_receiver == Receiver("team", "webhook", 1)
