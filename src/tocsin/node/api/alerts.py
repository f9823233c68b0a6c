"""The operations on alerts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from sys import maxsize
from typing import Final, Self, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from tocsin.alerting.alert import Alert
from tocsin.alerting.group import GroupView
from tocsin.alerting.matcher import Matcher, ParserMode
from tocsin.alerting.regex import Regex
from tocsin.errors import ValidationError
from tocsin.node.api.alert_views import AlertViews, encode_status
from tocsin.node.api.answers import empty
from tocsin.node.api.backend import Backend
from tocsin.node.api.go_json import encode_plain
from tocsin.node.api.lists import LongAnswers
from tocsin.node.api.postable_alerts import (
    READ_SLICE,
    SLICE,
    SLICE_BYTES,
    AlertLimits,
    AlertReader,
    Intake,
    Parts,
)
from tocsin.node.api.receivers import receiver_labels
from tocsin.node.api.requests import Query
from tocsin.node.api.scheduler import pause
from tocsin.node.api.steps import Pauses, meets, pauses_after, run_steps

SHOW_SLICE: Final = 256
"""Alerts that are shown before other work of the event loop runs."""
TOGETHER: Final = 16 << 10
"""Bytes of a group's alerts that are handed on at once."""
KEPT: Final = 4096
"""Ids of silences and alerts that one answer with groups remembers until they are written. Past it they are
looked up again: there may be tens of thousands of alerts, and many clients that read slowly."""

_Status: TypeAlias = tuple[Sequence[str], Sequence[str]] | None
_NOT_MUTED: Final[_Status] = (), ()
_Group: TypeAlias = tuple[GroupView, list[tuple[Alert, _Status]]]


class _Filter:
    """What a request for alerts or groups asks for.

    Each alert is evaluated at the time when it is written: the client may read the answer for minutes, and a
    query at an older time would look up again all silences that have ended since.
    """

    def __init__(
        self,
        backend: Backend,
        query: Query,
        matchers: Sequence[Matcher],
        receiver: Regex | None,
        receiver_matchers: Sequence[Matcher],
    ) -> None:
        self.matchers = matchers
        self._receiver = receiver
        self._receiver_matchers = receiver_matchers
        self._active = query.flag("active")
        self._silenced = query.flag("silenced")
        self._inhibited = query.flag("inhibited")
        self._labels = receiver_labels(backend.config) if self._receiver_matchers else {}
        self._labels_meet: dict[str, bool] = {}  # by receiver, each found once
        self._backend = backend

    @classmethod
    async def read(cls, backend: Backend, query: Query) -> Self:
        """Raises ValidationError, for the first mistake."""
        matchers = await run_steps(query.matchers())
        receiver = query.receiver()
        return cls(backend, query, matchers, receiver, await run_steps(query.receiver_matchers()))

    async def wants_receivers(self, receivers: Sequence[str], pauses: Pauses) -> bool:
        """Whether one of ``receivers`` has the name, and one of them the labels, that are asked for."""
        return _any_matches(self._receiver, receivers) and await self._any_has_labels(receivers, pauses)

    async def _any_has_labels(self, receivers: Sequence[str], pauses: Pauses) -> bool:
        matchers = self._receiver_matchers
        if not matchers:
            return True
        for name in receivers:
            found = self._labels_meet.get(name)
            if found is None:
                labels = self._labels.get(name)
                found = labels is not None and await meets(matchers, labels, pauses)
                self._labels_meet[name] = found
            if found:
                return True
        return False

    async def status(self, alert: Alert, pauses: Pauses) -> tuple[Sequence[str], Sequence[str]] | None:
        """The silences and alerts that mute an alert; None if the request does not ask for the alert."""
        now = self._backend.now()
        if alert.resolved_at(now) and alert.ends_at < now:
            return None
        labels = alert.labels
        if self.matchers and not await meets(self.matchers, labels, pauses):
            return None
        silenced_by, inhibited_by = await self.muted(alert)
        if (silenced_by and not self._silenced) or (inhibited_by and not self._inhibited):
            return None
        if not self._active and not silenced_by and not inhibited_by:
            return None
        return silenced_by, inhibited_by

    async def muted(self, alert: Alert) -> tuple[Sequence[str], Sequence[str]]:
        """The silences and alerts that mute an alert."""
        backend, labels = self._backend, alert.labels
        silences, now = backend.silences, backend.now()
        silenced_by = silences.muting_known(labels, now)
        if silenced_by is None:
            if silences.looking_up(labels) is not None:
                await backend.look_ups.find_all((labels,))
            now = backend.now()
            silenced_by = await run_steps(silences.muting(labels, now, maxsize))
        return silenced_by, backend.inhibited_by(labels, now)


def _slices(parts: Sequence[Parts]) -> Iterator[int]:
    """The ends of slices of few alerts, and of few bytes of labels."""
    start = held = 0
    for place, part in enumerate(parts):
        held += len(part.labels.labels.canonical_bytes)
        if place - start == SLICE - 1 or held > SLICE_BYTES:
            yield place + 1
            start, held = place + 1, 0
    if start < len(parts):
        yield len(parts)


def _any_matches(pattern: Regex | None, names: Iterable[str]) -> bool:
    return pattern is None or any(map(pattern.match, names))


class AlertOperations:
    """GET and POST alerts, GET alerts/groups."""

    def __init__(
        self, backend: Backend, limits: AlertLimits, mode: ParserMode, long_answers: LongAnswers
    ) -> None:
        self._mode = mode
        self._backend = backend
        self._long_answers = long_answers
        self._reader = AlertReader(limits, mode)
        self._views = AlertViews()

    async def post(self, body: bytes, creator: str) -> Response:  # noqa: ARG002 - as all operations
        """Take in the valid alerts of a body. Raises BodyError, or ValidationError for the invalid ones."""
        backend = self._backend
        parts = await self._reader.read(body)
        now = backend.now()
        intake = Intake(now, backend.config.global_.resolve_timeout, self._mode)
        start = 0
        for end in _slices(parts):
            if start or len(parts) > READ_SLICE:  # Reading them has taken its time of this iteration.
                await pause()
            valid = intake.alerts(parts[start:end])
            if valid:
                await backend.put_alerts(valid)
            start = end
        backend.alerts_received(firing=intake.firing, resolved=intake.resolved, invalid=intake.invalid)
        if intake.invalid:
            raise ValidationError("\n".join(intake.problems))
        return empty()

    async def get(self, request: Request) -> Response:
        """The alerts that have not ended, by fingerprint. Raises ValidationError."""
        backend = self._backend
        wanted = await _Filter.read(backend, Query(request.scope["query_string"], self._mode))
        return await self._long_answers.of(request, self._shown(wanted))

    async def _shown(self, wanted: _Filter) -> AsyncIterator[bytes]:
        backend = self._backend
        route = backend.config.route
        pauses = pauses_after(SHOW_SLICE)
        comma = b""
        for alert in backend.alerts.by_fingerprint():
            if next(pauses):
                await pause()
            view = self._views.of(alert, route)
            if not await wanted.wants_receivers(view.receivers, pauses):
                continue
            status = await wanted.status(alert, pauses)
            if status is not None:
                yield comma + view.encode(view.receivers, encode_status(*status))
                comma = b","

    async def groups(self, request: Request) -> Response:
        """The aggregation groups with alerts that have not ended. Raises ValidationError."""
        backend = self._backend
        query = Query(request.scope["query_string"], self._mode)
        wanted = await _Filter.read(backend, query)
        muted = query.flag("muted")
        groups: list[_Group] = []
        receivers: dict[int, tuple[str, ...]] = {}
        same: dict[tuple[str, ...], tuple[str, ...]] = {}
        kept = 0
        pauses = pauses_after(SHOW_SLICE)
        for group in await run_steps(backend.viewing_groups()):
            if not await wanted.wants_receivers((group.receiver,), pauses):
                continue
            alerts: list[tuple[Alert, _Status]] = []
            alone = (group.receiver,)
            for alert in group.alerts:
                if next(pauses):
                    await pause()
                status = await wanted.status(alert, pauses)
                if status is None:
                    continue
                if not (status[0] or status[1]):
                    status = _NOT_MUTED
                elif kept + len(status[0]) + len(status[1]) > KEPT:
                    status = None
                else:
                    kept += len(status[0]) + len(status[1])
                alerts.append((alert, status))
                # Once for each group that has the alert: with two routes to one receiver, twice.
                fingerprint = alert.labels.fingerprint
                before = receivers.get(fingerprint)
                names = alone if before is None else tuple(sorted((*before, group.receiver)))
                receivers[fingerprint] = same.setdefault(names, names)
            if alerts and (muted or not backend.group_muted_by(group)):
                groups.append((group, alerts))
        return await self._long_answers.of(request, self._shown_groups(wanted, groups, receivers))

    async def _shown_groups(
        self, wanted: _Filter, groups: Sequence[_Group], receivers: Mapping[int, tuple[str, ...]]
    ) -> AsyncIterator[bytes]:
        backend = self._backend
        route = backend.config.route
        pauses = pauses_after(SHOW_SLICE)
        for place, (group, alerts) in enumerate(groups):
            muted_by = backend.group_muted_by(group)
            not_muted = encode_status((), (), muted_by)
            opening = b',{"alerts":[' if place else b'{"alerts":['
            shown: list[bytes] = []
            size = 0
            for alert, status in alerts:
                if next(pauses):
                    await pause()
                if status is _NOT_MUTED:
                    status_text = not_muted
                else:
                    status_text = encode_status(*(status or await wanted.muted(alert)), muted_by)
                text = self._views.of(alert, route).encode(receivers[alert.labels.fingerprint], status_text)
                shown.append(text)
                size += len(text)
                if size > TOGETHER:
                    yield opening + b",".join(shown)
                    opening = b","
                    shown, size = [], 0
            if shown:
                yield opening + b",".join(shown)
            yield b'],"labels":%b,"receiver":%b,"routeLabels":%b}' % (
                encode_plain(dict(group.labels.pairs)),
                encode_plain({"name": group.receiver}),
                encode_plain(dict(await backend.route_labels(group))),
            )
