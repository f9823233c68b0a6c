"""No test fails since the machine is busy: property-based ones measure no time."""

from __future__ import annotations

from hypothesis import HealthCheck, settings


def test_no_example_has_a_deadline_also_with_settings_of_its_own() -> None:
    own = settings(max_examples=1)
    assert own.deadline is None
    assert HealthCheck.too_slow in own.suppress_health_check
