"""Ends acknowledgements whose alerts have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from sys import maxsize
from typing import Final

from tocsin.alerting.acknowledge import Acknowledgements, Standing
from tocsin.alerting.alerts import Alerts
from tocsin.alerting.silence import Silences, SilenceState
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.dataclass import dataclass
from tocsin.errors import NotFoundError
from tocsin.node.api.steps import pauses_after, run_steps
from tocsin.node.clock import Clock
from tocsin.node.log import Logger
from tocsin.node.lookups import LookUps

INTERVAL: Final[Nanoseconds] = 2 * SECOND
"""Nanoseconds between evaluations."""
SLICE: Final = 512
"""Silences, or silences of alerts, that are evaluated before other work runs."""


@dataclass(slots=True)
class AcknowledgementStatistics:
    """For the metrics."""

    active: int = 0
    ended: int = 0
    """Acknowledgements ended by this node because their alerts had ended."""


GAUGES: Final = ("active",)


class Acknowledging:
    """``expire`` ends a silence; ``wait`` says how much later than the first member this node acts."""

    def __init__(
        self,
        alerts: Alerts,
        silences: Silences,
        look_ups: LookUps,
        *,
        expire: Callable[[str], Awaitable[None]],
        wait: Callable[[], Nanoseconds],
        clock: Clock,
        log: Logger,
    ) -> None:
        self.statistics = AcknowledgementStatistics()
        self._alerts = alerts
        self._silences = silences
        self._look_ups = look_ups
        self._expire = expire
        self._wait = wait
        self._clock = clock
        self._log = log
        self._acknowledgements = Acknowledgements()

    async def evaluate(self) -> None:
        """End the acknowledgements whose alerts have ended. :class:`~tocsin.errors.StorageError` if that
        cannot be written; the next evaluation tries again."""
        standings = await self._standings()
        self.statistics.active = len(standings)
        evaluating = self._acknowledgements.evaluating(standings, self._clock.now(), self._wait())
        for identifier in await run_steps(evaluating):
            try:
                await self._expire(identifier)
            except NotFoundError:
                continue
            self.statistics.ended += 1
            self._log.info("acknowledgement ended with its alerts", id=identifier)

    async def _standings(self) -> Mapping[str, Standing | None]:
        silences, now = self._silences, self._clock.now()
        starts: dict[str, Nanoseconds] = {}
        found: dict[str, Standing | None] = {}
        pauses = pauses_after(SLICE)
        for identifier in list(silences.acknowledgements):
            if next(pauses):
                await asyncio.sleep(0)
            silence = silences.get(identifier)
            if silence is not None and silence.state_at(now) is SilenceState.ACTIVE:
                starts[identifier], found[identifier] = silence.starts_at, None
        if not starts:
            return found
        for alert in self._alerts.all():
            if next(pauses):
                await asyncio.sleep(0)
            if silences.looking_up(alert.labels) is not None:
                await self._look_ups.find_all((alert.labels,))
            muting = silences.muting(alert.labels, self._clock.now(), maxsize)
            for identifier in await run_steps(muting):
                if next(pauses):  # Thousands of silences may match each of thousands of alerts.
                    await asyncio.sleep(0)
                if identifier not in starts:
                    continue
                known = found[identifier] or Standing(firing=False, said=True)
                if not alert.resolved_at(now):
                    found[identifier] = Standing(firing=True, said=known.said)
                elif alert.ends_at >= starts[identifier]:
                    said = known.said and alert.ends_at <= alert.updated_at
                    found[identifier] = Standing(firing=known.firing, said=said)
        return found
