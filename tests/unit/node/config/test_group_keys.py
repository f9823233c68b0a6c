"""Routes as the file describes them get the keys that Alertmanager gives them: peers compare group keys."""

from __future__ import annotations

from pathlib import Path

from tests.unit.alerting.test_notification import CONFIG
from tocsin.node.config import load_config

CAPTURED = Path(__file__).parents[2] / "alerting" / "data" / "webhook-0.33.1.yml"


def test_the_captured_configuration_gets_the_captured_route_ids() -> None:
    found = [route.id for route in load_config(CAPTURED).route.walk()]
    assert found == [route.id for route in CONFIG.route.walk()]
    assert any('z=~"^(?:.+)$"' in each for each in found)
