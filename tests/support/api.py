"""A small client of Alertmanager's API v2, for either kind of node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def matcher(name: str, value: str, *, regex: bool = False, equal: bool = True) -> dict[str, Any]:
    """A matcher as the API takes it."""
    return {"name": name, "value": value, "isRegex": regex, "isEqual": equal}


class Api:
    """The API of the node at ``url`` (without a trailing slash)."""

    def __init__(self, url: str, *, timeout: float = 15.0) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=timeout, trust_env=False)

    def close(self) -> None:
        self.http.close()

    def answers(self) -> bool:
        """Whether the node serves at all (ready or not)."""
        try:
            return self.http.get("/-/healthy").status_code == 200
        except httpx.TransportError:
            return False

    def status(self) -> dict[str, Any]:
        return dict(self._get("/api/v2/status"))

    def cluster(self) -> dict[str, Any]:
        """``{"name", "status", "peers": [{"name", "address"}]}``."""
        return dict(self.status()["cluster"])

    def peer_addresses(self) -> set[str]:
        return {peer["address"] for peer in self.cluster().get("peers") or []}

    def peer_names(self) -> set[str]:
        return {peer["name"] for peer in self.cluster().get("peers") or []}

    def post_alerts(self, *alerts: Mapping[str, Any]) -> None:
        self.http.post("/api/v2/alerts", json=list(alerts)).raise_for_status()

    def alerts(self) -> list[dict[str, Any]]:
        return list(self._get("/api/v2/alerts"))

    def post_silence(
        self,
        matchers: Sequence[Mapping[str, Any]],
        *,
        comment: str = "by a test",
        hours: float = 1.0,
        id_: str = "",
        starts_at: str = "",
        created_by: str = "tests",
    ) -> str:
        """Create or (with ``id_``) update a silence; returns its id."""
        now = datetime.now(UTC)
        body: dict[str, Any] = {
            "matchers": list(matchers),
            "startsAt": starts_at or rfc3339(now),
            "endsAt": rfc3339(now + timedelta(hours=hours)),
            "createdBy": created_by,
            "comment": comment,
        }
        if id_:
            body["id"] = id_
        answer = self.http.post("/api/v2/silences", json=body)
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
        return str(answer.json()["silenceID"])

    def silence(self, id_: str) -> dict[str, Any] | None:
        """The silence, or None if this node does not know it."""
        answer = self.http.get(f"/api/v2/silence/{id_}")
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return dict(answer.json())

    def silences(self) -> list[dict[str, Any]]:
        return list(self._get("/api/v2/silences"))

    def expire_silence(self, id_: str) -> None:
        self.http.delete(f"/api/v2/silence/{id_}").raise_for_status()

    def metrics(self) -> str:
        answer = self.http.get("/metrics")
        answer.raise_for_status()
        return answer.text

    def _get(self, path: str) -> Any:
        answer = self.http.get(path)
        answer.raise_for_status()
        return answer.json()


def prometheus_alert(name: str, **labels: str) -> dict[str, Any]:
    """A firing alert in the form in which Prometheus posts it."""
    now = datetime.now(UTC)
    return {
        "labels": {"alertname": name, "instance": "127.0.0.1:9100", "job": "node", **labels},
        "annotations": {"summary": f"{name} is firing"},
        "startsAt": rfc3339(now),
        "endsAt": rfc3339(now + timedelta(minutes=4)),
        "generatorURL": "http://127.0.0.1:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
    }
