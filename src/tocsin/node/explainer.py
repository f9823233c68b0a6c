"""Explains what became of alerts. The code for it is loaded with the first question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.aio.later import Later
from tocsin.node.log import Logger

if TYPE_CHECKING:
    from tocsin.alerting.explain.knowledge import Knowledge
    from tocsin.alerting.explain.question import Question
    from tocsin.alerting.explain.story import Explanation
    from tocsin.node.cluster.asking import Asking, AskingStatistics
    from tocsin.node.cluster.cluster import Cluster
    from tocsin.node.explaining import Explaining
    from tocsin.node.parts import NodeParts


class Explainer:
    """The explainer of one node."""

    def __init__(self, parts: NodeParts) -> None:
        self._parts = parts
        self._explaining = Later(self._make)
        self._asking = self._open(parts.cluster) if parts.cluster is not None else None

    def _make(self) -> Explaining:
        from tocsin.node.explaining import Explaining

        return Explaining(self._parts, self._asking)

    def _open(self, cluster: Cluster) -> Asking:
        """From now on ask the members, and answer their questions."""
        from tocsin.node.cluster.asking import KEY, Asking

        log = Logger("tocsin.explain", component="explain")
        name, ready = cluster.settings.name, self._explaining.get
        asking = Asking(name, cluster.gossip, self.know, log, ready=ready)
        cluster.handlers[KEY] = asking.receive
        return asking

    async def close(self) -> None:
        """Stop answering."""
        if self._asking is not None:
            await self._asking.close()

    @property
    def statistics(self) -> AskingStatistics | None:
        """What is counted of questions between members; None: there are none."""
        return self._asking.statistics if self._asking is not None else None

    async def explain(self, question: Question, *, peers: bool, source: str = "") -> Explanation:
        """As :meth:`tocsin.node.explaining.Explaining.explain`."""
        return await (await self._explaining.get()).explain(question, peers=peers, source=source)

    async def know(self, question: Question) -> Knowledge:
        """What this node knows; peers get this."""
        return await (await self._explaining.get()).know(question)
