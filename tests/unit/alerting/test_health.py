"""How integrations have done, out of what was decided about their attempts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from tocsin.alerting.decisions import Failed, GivenUp, Overdue, Sent
from tocsin.alerting.group import Flush
from tocsin.alerting.health import RECENT, Health
from tocsin.alerting.integration import Integration
from tocsin.alerting.timestamp import SECOND

WEBHOOK = Integration("team", "webhook", 0, send_resolved=True)
FLUSH = cast("Flush", None)  # nobody looks at it


def failed(at: int, error: str = "refused") -> Failed:
    return Failed(FLUSH, WEBHOOK, at * SECOND, 1, (at - 2) * SECOND, "other", error, None)


def test_the_last_success_and_the_last_failure_are_known() -> None:
    health = Health()
    for decision in (failed(10), failed(20, "x" * 1000), Sent(FLUSH, WEBHOOK, 31 * SECOND, 2, 30 * SECOND)):
        health.count(decision)
    known = health.of("team", "webhook", 0)
    assert (known.sent, known.failed, known.failing) == (1, 2, 0)
    assert (known.sent_at, known.failed_at) == (31 * SECOND, 20 * SECOND)
    assert (known.reason, len(known.error)) == ("other", 512)
    assert list(known.recent) == [2 * SECOND, 2 * SECOND, SECOND]
    health.count(Overdue(FLUSH, WEBHOOK, 40 * SECOND, 1, 0))
    health.count(GivenUp(FLUSH, WEBHOOK, 41 * SECOND, 1, "other", "gone"))
    assert (known.failing, known.given_up) == (1, 1)
    assert health.of("other", "webhook", 0).sent == 0


def test_what_is_remembered_is_bounded() -> None:
    health = Health(max_integrations=3)
    for index in range(5):
        decision: Any = replace(failed(10), integration=replace(WEBHOOK, index=index))
        health.count(decision)
        health.count(failed(10))
    for at in range(RECENT + 5):
        health.count(failed(at))
    assert len(health) == 3
    assert health.of("team", "webhook", 0).failed == 6 + RECENT + 5, "it was heard of all the time"
    assert health.of("team", "webhook", 1).failed == 0, "forgotten"
    assert len(health.of("team", "webhook", 0).recent) == RECENT
