"""What the API remembers of alerts and silences that it has shown is bounded, in bytes too."""

from __future__ import annotations

from dataclasses import replace

from tests.support.routing import T0, alert, one_route
from tocsin.alerting.matcher import parse_matchers
from tocsin.alerting.silence import Silence
from tocsin.alerting.timestamp import SECOND
from tocsin.node.api.alert_views import AlertViews
from tocsin.node.api.silence_views import SilenceViews


def test_views_of_large_alerts_are_few() -> None:
    views, route = AlertViews(max_bytes=100_000), one_route()
    alerts = [alert(alertname=str(number), text="x" * 9000) for number in range(50)]
    for each in alerts:
        views.of(each, route)
    assert 2 < len(views) < 10
    last = views.of(alerts[-1], route)
    assert views.of(alerts[-1], route) is last, "it is remembered"
    for number in range(1000):
        views.of(replace(alerts[-1], updated_at=T0 + number), route)
    assert 2 < len(views) < 10, "those that are made anew count once"
    huge = alert(alertname="huge", text="x" * 200_000)
    assert b"huge" in views.of(huge, route).encode((), b"{}")
    assert len(views) == 1


def test_views_of_large_silences_are_few() -> None:
    views = SilenceViews(max_bytes=100_000)
    for number in range(50):
        silence = Silence(
            f"id {number}", (parse_matchers('a="b"'),), T0, T0 + SECOND, updated_at=T0, comment="x" * 9000
        )
        shown = views.encode(silence, T0)
        assert views.encode(silence, T0) == shown
        assert len(shown) > 9000
    assert 2 < len(views) < 12
