"""Names and matchers that the API takes in each parser mode, beside the real Alertmanager."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.alertmanager import alertmanager
from tests.support.node import Node, NodeKind

pytestmark = pytest.mark.interop

CONFIG = "route: {receiver: a}\nreceivers: [{name: a}]\n"

NAMES = ("foo", "foo bar", "0a", "a:b", "é", "", "\ufffd", "__name__", "a-b", "a.b")
FILTERS = (
    *("foo=bar", "foo bar=x", '"foo bar"=x', '{"foo bar"="x"}', "{a=b,}", 'a="b\\q"', "a=b\\", "0a=b"),
    *("a:b=c", "é=x", "a=é", 'a="b",c=d', "a=b,c=d", "{}", "", "{", 'a=~"("', '"a"=~"b"', "a.b=c", "a-b!~c"),
    *("a==b", 'a="b', 'a=b"', " a= b ", "a=\\n", 'a=""', "a=", "=a", "a!", "a={b}", '"a=b"', "{a=b}{c=d}"),
    *("a=b c", "a=~b|c"),
)


@contextmanager
def running(kind: NodeKind, folder: Path, mode: str) -> Iterator[Node]:
    flags = {"cluster.listen-address": "", **({"enable-feature": mode} if mode else {})}
    node = Node(kind, "alone", folder, config=CONFIG, flags=flags)
    try:
        yield node.start()
    finally:
        node.close()


def told(answer: httpx.Response) -> tuple[int, str]:
    """Status and error; what is listed is told by whether there is any, ids are left out."""
    if answer.status_code != 200:
        return answer.status_code, answer.text
    return 200, "nothing" if answer.text.strip() == "[]" else "something"


def silence(name: str, *, regex: bool) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "matchers": [{"name": name, "value": "v", "isRegex": regex}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "test",
        "comment": "test",
    }


def answers(url: str) -> dict[str, tuple[int, str]]:
    found = {}
    with httpx.Client(base_url=f"{url}/api/v2", trust_env=False, timeout=20) as http:
        for name in NAMES:
            labelled = [{"labels": {"alertname": "x", name: "v"}}]
            found[f"label {name!r}"] = told(http.post("/alerts", json=labelled))
            noted = [{"labels": {"alertname": "x"}, "annotations": {name: "v"}}]
            found[f"annotation {name!r}"] = told(http.post("/alerts", json=noted))
            for regex in (False, True):
                made = told(http.post("/silences", json=silence(name, regex=regex)))
                found[f"silence {name!r}, regex {regex}"] = made
        for text in FILTERS:
            for path, parameter in (
                ("/alerts", "filter"),
                ("/alerts/groups", "filter"),
                ("/silences", "filter"),
                ("/alerts", "receiver_matchers"),
                ("/receivers", "receiver_matchers"),
            ):
                answer = http.get(path, params={parameter: text})
                found[f"{path} {parameter} {text!r}"] = told(answer)
    return found


@pytest.mark.parametrize("mode", ["", "classic-mode", "utf8-strict-mode"])
def test_each_mode_takes_and_refuses_the_same_names_and_matchers(
    mode: str, ours: NodeKind, tmp_path: Path
) -> None:
    with (
        running(alertmanager("0.33"), tmp_path / "theirs", mode) as theirs,
        running(ours, tmp_path / "ours", mode) as own,
    ):
        expected, found = answers(theirs.url), answers(own.url)
    assert {key: (expected[key], found[key]) for key in expected if found[key] != expected[key]} == {}
