"""A real node whose disk takes no more: it says so, changes nothing, and goes on by itself when it can."""

from __future__ import annotations

import resource
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tests.support.api import matcher, rfc3339
from tests.support.cluster import Cluster
from tests.support.eventually import eventually
from tests.support.node import PATIENT, metric
from tests.support.tocsin_node import TOCSIN

ROOM = 256 * 1024  # more than the log needs, less than the silence does


def test_a_full_disk_is_told_and_nothing_else_stops(tmp_path: Path) -> None:
    with Cluster(tmp_path, flags=PATIENT) as cluster:
        full = cluster.add(TOCSIN, "full")
        other = cluster.add(TOCSIN, "other")
        cluster.wait_whole()
        kept = full.api.post_silence([matcher("alertname", "kept")])
        # No file of the process may grow past this; what SQLite is told then is what a full disk tells.
        limits = resource.prlimit(full.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(full.process.pid, resource.RLIMIT_FSIZE, (ROOM, limits[1]))
        shown = full.api.silence(kept)
        assert shown is not None
        body = {
            "matchers": [matcher("alertname", "refused")],
            "startsAt": rfc3339(datetime.now(UTC)),
            "endsAt": shown["endsAt"],
            "createdBy": "tests",
            "comment": "x" * 400_000,
        }
        answer = full.api.http.post("/api/v2/silences", json=body)
        assert answer.status_code == 503, answer.text
        assert "cannot be written to disk" in answer.json()
        assert [silence["id"] for silence in full.api.silences()] == [kept]
        assert metric(full.api.metrics(), "tocsin_journal_failing") == 1
        from_peer = other.api.post_silence([matcher("alertname", "from a peer")])
        eventually(lambda: full.api.silence(from_peer), "gossip is still merged")
        eventually(lambda: other.api.silence(kept), "what was kept is on the other")
        assert {silence["id"] for silence in other.api.silences()} == {kept, from_peer}

        resource.prlimit(full.process.pid, resource.RLIMIT_FSIZE, limits)
        assert full.api.http.post("/api/v2/silences", json=body).status_code == 200
        eventually(
            lambda: metric(full.api.metrics(), "tocsin_journal_unwritten_entries") == 0,
            "what came meanwhile is written",
            ignoring=(httpx.HTTPError,),
        )
        before = {silence["id"] for silence in full.api.silences()}
        assert len(before) == 3
        other.kill()
        full.kill()
        full.peers = []
        full.restart()
        assert {silence["id"] for silence in full.api.silences()} == before
