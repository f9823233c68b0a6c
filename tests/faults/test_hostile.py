"""Every attack of :mod:`tests.faults.hostile`, one round of each: it is counted, and the cluster goes on.

``make hostile`` keeps them up for longer and measures memory and latency meanwhile.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from tests.faults.hostile.attack import ATTACKS, Attack
from tests.faults.hostile.attacker import BROKEN
from tests.faults.hostile.setting import Settings
from tests.support.api import matcher
from tests.support.eventually import eventually

AGAIN = 10.0
"""Seconds until one more round of an attack that was not counted: the node may have turned it away."""


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with contextlib.ExitStack() as stack:
        yield Settings(tmp_path_factory.mktemp("hostile"), stack, log_level="debug")


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_it_is_counted_and_the_cluster_goes_on(clusters: Settings, attack: Attack) -> None:
    hostile = clusters.of(attack)
    before = hostile.counters()
    with hostile.attacker(attack) as attacker:
        due = 0.0

        def counted() -> bool:
            """It goes on, and is to be found out all the same; what is held back on the way comes again."""
            nonlocal due
            if attack.patient or time.monotonic() > due:
                with contextlib.suppress(*BROKEN):
                    attack.round(attacker)
                due = time.monotonic() + AGAIN
            now = hostile.counters()
            return any(now[one] > before[one] for one in attack.counted)

        grows = f"one of {', '.join(map(str, attack.counted))} grows"
        eventually(counted, grows, deadline=120.0)  # A throttled peer's state takes its time.
        made, other = hostile.cluster.nodes[:2]
        for maker, seer in ((made, other), (other, made)):
            id_ = maker.api.post_silence([matcher("during", attack.name)])
            eventually(lambda: seer.api.silence(id_) is not None, f"{seer!r} sees it")  # noqa: B023
    assert all(node.alive for node in hostile.cluster.nodes)
    eventually(lambda: not hostile.missing(), "no member is lost")
    for node in hostile.cluster.nodes:
        assert "Traceback" not in node.process.text()
