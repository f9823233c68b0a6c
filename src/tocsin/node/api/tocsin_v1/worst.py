"""``GET alerts/worst``."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Final, TypeAlias

from tocsin.alerting.alert import Alert
from tocsin.alerting.group import GroupView
from tocsin.alerting.labels import Labels
from tocsin.alerting.steps import sorting
from tocsin.alerting.timestamp import format_milliseconds
from tocsin.bounded import Memo
from tocsin.dataclass import dataclass
from tocsin.models.worst import StateCounts, Worst, WorstAlert, WorstGroup, WorstQuery
from tocsin.node.api.go_json import encode_plain
from tocsin.node.api.scheduler import pause
from tocsin.node.api.steps import pauses_after, run_steps
from tocsin.node.api.tocsin_v1.resource import Call, Context, Resource
from tocsin.node.api.tocsin_v1.shared import Shared

SLICE: Final = 128
"""Alerts that are looked at before other work runs."""
MAX_VIEWS: Final = 4
"""Answers to different questions that are shared among all who ask."""

_Question: TypeAlias = tuple[str, str, int]
ACTIVE, SILENCED, INHIBITED, MUTED = range(4)


@dataclass(slots=True)
class _Group:
    view: GroupView
    active: list[Alert]
    worst: int


class _Ranks:
    """How bad an alert is, by the value of a label; smaller is worse."""

    def __init__(self, label: str, order: str) -> None:
        values = order.lower().split(",")
        self._label = label
        self._ranks = {value: place for place, value in enumerate(values)}
        self._other = self._ranks.pop("", len(values))

    def of(self, labels: Labels) -> int:
        return self._ranks.get((labels.get(self._label) or "").lower(), self._other)


class _Worst:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend
        self._shared: Memo[_Question, Shared[Worst]] = Memo(MAX_VIEWS)

    async def __call__(self, call: Call[WorstQuery, None]) -> Worst:
        label, order, most = key = (call.query.label, call.query.order, call.query.most)
        shared = self._shared.get(key)
        if shared is None:
            shared = Shared(lambda: self._found(_Ranks(label, order), most), monotonic)
            self._shared.put(key, shared)
        return await shared.get()

    async def _found(self, ranks: _Ranks, most: int) -> Worst:
        groups, states = await self._looked_at(ranks)
        counts = [0] * 4
        for state in states.values():
            counts[state] += 1
        listed = await run_steps(sorting(groups, key=_place, most=most))
        shown = []
        for group in listed:
            if most <= 0:
                break
            alerts = await run_steps(
                sorting(
                    group.active,
                    key=lambda alert: (ranks.of(alert.labels), -alert.starts_at, alert.labels.fingerprint),
                    most=most,
                )
            )
            most -= len(alerts)
            shown.append(
                WorstGroup(
                    receiver=group.view.receiver,
                    labels=dict(group.view.labels.pairs),
                    shared=await _alike(group.active),
                    active=len(group.active),
                    alerts=await self._all(alerts),
                )
            )
        active, silenced, inhibited, muted = counts
        return Worst(
            groups=tuple(shown),
            active_groups=len(groups),
            counts=StateCounts(active=active, silenced=silenced, inhibited=inhibited, muted=muted),
        )

    async def _looked_at(self, ranks: _Ranks) -> tuple[Sequence[_Group], dict[int, int]]:
        """The groups with active alerts, and the state of each alert."""
        backend = self._backend
        silences = backend.silences
        groups: list[_Group] = []
        states: dict[int, int] = {}
        pauses = pauses_after(SLICE)
        for view in await run_steps(backend.viewing_groups()):
            active: list[Alert] = []
            worst = 0
            muted = bool(backend.group_muted_by(view))
            for alert in view.alerts:
                if next(pauses):
                    await pause()
                now, labels = backend.now(), alert.labels
                if alert.resolved_at(now):
                    continue
                silenced_by = silences.muting_known(labels, now)
                if silenced_by is None:
                    await backend.look_ups.find_all((labels,))
                    now = backend.now()
                    silenced = silences.is_muted(labels, now)
                else:
                    silenced = bool(silenced_by)
                if silenced:
                    states[labels.fingerprint] = SILENCED
                elif backend.inhibited_by(labels, now):
                    states[labels.fingerprint] = INHIBITED
                elif muted:
                    states.setdefault(labels.fingerprint, MUTED)
                else:
                    states[labels.fingerprint] = ACTIVE
                    rank = ranks.of(labels)
                    worst = min(worst, rank) if active else rank
                    active.append(alert)
            if active:
                groups.append(_Group(view, active, worst))
        return groups, states

    async def _all(self, alerts: Sequence[Alert]) -> tuple[WorstAlert, ...]:
        found = []
        for alert in alerts:
            await pause()  # Each is matched against all routes, which takes milliseconds if many.
            found.append(self._alert(alert))
        return tuple(found)

    def _alert(self, alert: Alert) -> WorstAlert:
        routes = self._backend.config.route.match(alert.labels)
        return WorstAlert(
            fingerprint=alert.labels.fingerprint_text,
            labels=dict(alert.labels.pairs),
            annotations=dict(alert.annotations.pairs),
            starts_at=format_milliseconds(alert.starts_at),
            updated_at=format_milliseconds(alert.updated_at),
            generator_url=alert.generator_url,
            receivers=tuple(sorted([match.options.receiver for match in routes])),
        )


def _place(group: _Group) -> tuple[int, int, str, bytes]:
    view = group.view
    return group.worst, -len(group.active), view.receiver, encode_plain(list(view.labels.pairs))


async def _alike(alerts: Sequence[Alert]) -> dict[str, str]:
    """The labels that all have alike."""
    alike = dict(alerts[0].labels.pairs)
    pauses = pauses_after(SLICE)
    for alert in alerts:
        if next(pauses):
            await pause()
        labels = alert.labels
        for name in [name for name, value in alike.items() if labels.get(name) != value]:
            del alike[name]
        if not alike:
            break
    return alike


RESOURCE = Resource(
    path="/alerts/worst",
    summary="The worst of the active alerts, in the groups in which they are notified",
    description="What a list of very many begins with: the groups with the worst alerts come first, of these"
    " the fullest. It may be some seconds old.",
    query=WorstQuery,
    answer=Worst,
    make=_Worst,
)
