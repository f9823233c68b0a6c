"""Webex: the bytes that are sent, what is cut, and by which status it is tried again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.receiverserver import retried, section, tell
from tocsin.errors import ConfigError
from tocsin.notify.integrations.base import reason_of
from tocsin.notify.integrations.truncate import in_bytes, whole
from tocsin.notify.integrations.webex import MAX_BYTES

AUTHORIZATION = "http_config: {authorization: {credentials: token-secret}}"
ITEM = f"room_id: 'room {{{{ .Status }}}}', api_url: 'http://@HTTP@/v1/messages', {AUTHORIZATION}"


def test_a_message_in_a_room(tmp_path: Path) -> None:
    [good], [request] = tell(tmp_path, "webex", f"{ITEM}, message: '{{{{ .CommonAnnotations.summary }}}}'")
    assert good.success
    assert request.body == b'{"markdown":"\\u003cno space\\u003e","roomId":"room firing"}\n'
    assert request.headers["authorization"] == "Bearer token-secret"


@pytest.mark.parametrize("text", ["x" * MAX_BYTES, "x" * (MAX_BYTES + 1), "ä" * MAX_BYTES, "🔔" * 1860])
def test_a_message_is_cut_by_bytes_and_between_characters(tmp_path: Path, text: str) -> None:
    """Alertmanager crashes on few characters that are many bytes."""
    _, [request] = tell(tmp_path, "webex", f"{ITEM}, message: '{text}'")
    sent = json.loads(request.body)["markdown"]
    assert len(sent.encode()) <= MAX_BYTES
    assert sent == text or (sent.endswith("…") and text.startswith(sent[:-1]))
    assert len(sent.encode()) > MAX_BYTES - 4


@given(st.text(st.characters(blacklist_categories=["Cs"])), st.integers(0, 40))
def test_cutting_keeps_as_much_as_there_is_room_for(text: str, limit: int) -> None:
    cut = in_bytes(text, limit)
    assert len(cut.encode()) <= limit
    if cut != text and limit > 3:
        following = text[len(cut) - 1]
        assert text.startswith(cut[:-1])
        assert len((cut[:-1] + following + "…").encode()) > limit


@given(st.text(st.characters(blacklist_categories=["Cs"])), st.integers(0, 20))
def test_no_character_is_cut_in_two(text: str, limit: int) -> None:
    kept = whole(text.encode()[:limit])
    assert text.startswith(kept)
    assert len(kept) == len(text) or len(text[: len(kept) + 1].encode()) > limit


def test_which_status_is_tried_again(tmp_path: Path) -> None:
    table = retried(tmp_path, "webex", ITEM)
    assert table == {
        status: (status >= 500, reason_of(status))
        for status in (300, 304, 400, 401, 403, 404, 408, 413, 418, 429, 500, 503, 599)
    }


def test_a_failing_room_sends_nothing(tmp_path: Path) -> None:
    """Alertmanager leaves the room out and counts success."""
    item = ITEM.replace("{{ .Status }}", '{{ template "no.such" . }}')
    [outcome], received = tell(tmp_path, "webex", item)
    assert (outcome.success, outcome.retry, received) == (False, False, [])
    assert "token-secret" not in outcome.error


def test_what_is_shown_and_inherited() -> None:
    found = section("webex", f"room_id: r, {AUTHORIZATION}", global_="webex_api_url: 'http://w/'")
    assert found.shown() == {
        "send_resolved": True,
        "http_config": {
            "authorization": {"type": "Bearer", "credentials": "<secret>"},
            "follow_redirects": True,
            "enable_http2": True,
        },
        "api_url": "http://w/",
        "message": '{{ template "webex.default.message" . }}',
        "room_id": "r",
    }


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (AUTHORIZATION, "missing room_id on webex_config"),
        ("room_id: r", "missing webex_configs.http_config.authorization"),
        ("room_id: r, http_config: {}", "missing webex_configs.http_config.authorization"),
    ],
)
def test_what_is_refused(item: str, problem: str) -> None:
    globals_ = "http_config: {authorization: {credentials: x}}"
    with pytest.raises(ConfigError) as caught:
        section("webex", item, global_=globals_)
    assert problem in str(caught.value)
