"""When every node of a cluster has had its turn to notify: a condition to wait for, in place of a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.support.eventually import eventually, holds_for
from tests.support.node import Node, metric

DEADLINE = 120.0
DELIVERY = 1.0
"""Seconds in which a node that looked in vain would be heard of."""


class Turns:
    """Of one group, on these nodes, from now on: each looks into its notification log when its turn has come.

    No other group may be due meanwhile, since the nodes count what they look up and not for whom.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._before = {node: _looked_up(node) for node in nodes}

    def over(self) -> bool:
        """Whether each node has looked."""
        return all(_looked_up(node) > before for node, before in self._before.items())

    def wait_for_one(self, notified: Callable[[], int], what: str) -> None:
        """Wait until all turns are over; AssertionError unless ``notified`` is 1 all the time."""

        def over() -> bool:
            count = notified()
            return count > 1 or self.over()

        eventually(over, f"each node has had its turn: {what}", deadline=DEADLINE)
        holds_for(lambda: notified() == 1, what, seconds=DELIVERY)


def _looked_up(node: Node) -> float:
    return metric(node.api.metrics(), "alertmanager_nflog_queries_total")
