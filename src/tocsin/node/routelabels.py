"""The labels of a group's route as API and page show them: rendered with the alerts of the group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from tocsin.alerting.alert import Alert
from tocsin.alerting.group import GroupView
from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import ZERO, Nanoseconds
from tocsin.notify.integrations.base import NotifyError, Render, Renderer

MAX_REMEMBERED: Final = 4096
"""Groups whose labels are remembered; past it all are forgotten."""


class RouteLabels:
    """Renders, and remembers for as long as a group has the same alerts."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._known: dict[tuple[str, str], tuple[tuple[Alert, ...], dict[str, str]]] = {}

    async def of_group(self, group: GroupView, now: Nanoseconds) -> Mapping[str, str]:
        """The labels by name. A value that is not a template, or fails to render, stays as it is written."""
        labels = dict(group.route.options.labels)
        if not any("{{" in value for value in labels.values()):
            return {name: str(value) for name, value in labels.items()}
        place = (group.id, group.key)
        known = self._known.get(place)
        if known is not None and known[0] == group.alerts:
            return known[1]
        rendered = await self._rendered(group, labels, now)
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[place] = (group.alerts, rendered)
        return rendered

    async def _rendered(self, group: GroupView, labels: dict[str, str], now: Nanoseconds) -> dict[str, str]:
        alerts = tuple(alert if alert.resolved_at(now) else _firing(alert) for alert in group.alerts)
        notification = Notification(
            receiver=group.receiver,
            group_key=group.key,
            group_labels=group.labels,
            alerts=alerts,
            now=now,
            reason="first notification",
            route_labels=group.route.options.labels,
        )
        found: dict[str, str] = {}
        for name, template in labels.items():
            if "{{" not in template:
                found[name] = str(template)
                continue
            try:
                found[name] = await self._renderer.compose(notification, partial(_text, template))
            except NotifyError:
                found[name] = str(template)
        return found


def _text(template: str, render: Render) -> str:
    return render.text(template)


def _firing(alert: Alert) -> Alert:
    return replace(alert, ends_at=ZERO)
