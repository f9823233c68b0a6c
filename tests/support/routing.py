"""Short forms of what tests of the alert flow are made of."""

from __future__ import annotations

from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import parse_matchers
from tocsin.alerting.route import Route, RouteConfig, build_route
from tocsin.alerting.timestamp import SECOND, ZERO, Nanoseconds
from tocsin.node.config.alertmanager import AlertmanagerConfig
from tocsin.node.config.receivers import ReceiverConfig
from tocsin.notify.integrations.webhook import WebhookConfig

T0: Nanoseconds = 1_800_000_000 * SECOND
"""When the stories begin."""


def alert(
    *,
    starts_at: Nanoseconds = T0,
    ends_at: Nanoseconds = ZERO,
    updated_at: Nanoseconds = T0,
    annotations: dict[str, str] | None = None,
    **labels: str,
) -> Alert:
    """An alert with the labels given by name."""
    return Alert(
        labels=Labels(labels),
        annotations=Labels(annotations or {}),
        starts_at=starts_at,
        ends_at=ends_at,
        updated_at=updated_at,
    )


def route_config(
    matchers: str = "",
    *routes: RouteConfig,
    receiver: str = "",
    group_by: tuple[str, ...] | None = None,
    group_by_all: bool = False,
    continue_: bool = False,
    group_wait: Nanoseconds | None = None,
    group_interval: Nanoseconds | None = None,
    repeat_interval: Nanoseconds | None = None,
    mute: tuple[str, ...] = (),
    active: tuple[str, ...] = (),
) -> RouteConfig:
    """A route with its matchers as text."""
    return RouteConfig(
        receiver=receiver,
        group_by=group_by,
        group_by_all=group_by_all,
        matchers=parse_matchers(matchers) if matchers else (),
        continue_=continue_,
        group_wait=group_wait,
        group_interval=group_interval,
        repeat_interval=repeat_interval,
        mute_time_intervals=mute,
        active_time_intervals=active,
        routes=routes,
    )


def one_route(
    *,
    group_by: tuple[str, ...] = ("alertname",),
    group_wait: Nanoseconds = 30 * SECOND,
    group_interval: Nanoseconds = 300 * SECOND,
    repeat_interval: Nanoseconds = 4 * 3600 * SECOND,
    mute: tuple[str, ...] = (),
    active: tuple[str, ...] = (),
) -> Route:
    """A tree of nothing but its root, to the receiver ``hook``."""
    return build_route(
        route_config(
            receiver="hook",
            group_by=group_by,
            group_wait=group_wait,
            group_interval=group_interval,
            repeat_interval=repeat_interval,
            mute=mute,
            active=active,
        )
    )


def one_receiver(route: Route, *, hooks: int = 1, send_resolved: bool = True) -> AlertmanagerConfig:
    """A configuration whose receiver ``hook`` has so many webhooks."""
    webhook = WebhookConfig(url="http://sink.example/", send_resolved=send_resolved)
    return AlertmanagerConfig(route=route, receivers=(ReceiverConfig.of("hook", (webhook,) * hooks),))
