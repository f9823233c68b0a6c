"""Reasons of failures: of Alertmanager 0.34, and what 0.33 calls the same."""

from __future__ import annotations

import pytest

from tocsin.notify.integrations.base import FAILURES, REASONS, older_reason, reason_of


@pytest.mark.parametrize(
    ("status", "reason", "older"),
    [
        (304, "other", "other"),
        (400, "clientError", "clientError"),
        (401, "authError", "clientError"),
        (403, "authError", "clientError"),
        (404, "clientError", "clientError"),
        (429, "rateLimited", "clientError"),
        (500, "serverError", "serverError"),
        (600, "other", "other"),
    ],
)
def test_by_status(status: int, reason: str, older: str) -> None:
    assert reason_of(status) == reason
    assert older_reason("webhook", reason) == older
    assert older_reason("discord", reason) == older_reason("webex", reason) == "other"


def test_each_of_034_has_one_of_033() -> None:
    assert {older_reason("webhook", reason) for reason in FAILURES} == set(REASONS)
    assert set(FAILURES) - set(REASONS) == {"authError", "rateLimited"}
    for reason in ("contextCanceled", "contextDeadlineExceeded", "other"):
        assert older_reason("discord", reason) == reason
