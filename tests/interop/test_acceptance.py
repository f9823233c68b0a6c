"""What Alertmanager's own acceptance tests ask of a node, told anew: the flows in which something is sent.

Where else its scenarios are asked for stands in docs/compatibility.md. All flows run at the same time on one
node, each on a route of its own, and go on when something has arrived, never when some time has passed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import alertmanager
from tests.support.api import matcher, rfc3339
from tests.support.eventually import eventually
from tests.support.node import Node, NodeKind
from tests.support.sink import Received, WebhookSink

pytestmark = pytest.mark.interop

ROUTES = {
    "merge": "group_by: [alertname], repeat_interval: 1ms",
    "lasting": "group_by: [alertname], repeat_interval: 1ms",
    "retry": "group_by: [alertname], repeat_interval: 1h",
    "batches": "group_by: [], repeat_interval: 1h",
    "timeout": "group_by: [alertname], repeat_interval: 1h",
    "ended": "group_by: [alertname], repeat_interval: 1h",
    "filter": "group_by: [alertname], repeat_interval: 1h",
    "reload": "group_by: [], repeat_interval: 1h",
    "silence": "group_by: [], repeat_interval: 1h",
    "inhibit": "group_by: [], repeat_interval: 1s",
    "together": "group_by: [], repeat_interval: 1s",
    "hung": "group_by: [alertname], group_interval: 1h, repeat_interval: 1h",
    "utf8": "group_by: ['föö bar'], repeat_interval: 1h, matchers: ['\"föö bar\"=\"b🙂\"']",
}
AFTER = timedelta(hours=1)


class Stage:
    """A node and its receivers: one of each flow, ``second`` for those with two."""

    def __init__(self, kind: NodeKind, folder: Path, flags: Mapping[str, str] | None = None) -> None:
        self.sinks = [WebhookSink() for _ in range(4)]
        self.sink, self.second, self.failing, self.slow = self.sinks
        for sink in self.sinks:
            sink.__enter__()
        self.node = Node(kind, "node", folder, config=self._config(), flags=flags).start()

    def _config(self) -> str:
        routes, receivers = [], []
        for name, options in ROUTES.items():
            by_name = "" if "matchers" in options else f", matchers: ['flow={name}']"
            routes.append(f"    - {{receiver: {name}, {options}{by_name}}}\n")
            hooks = [f"{{url: '{self.sink.url}{name}'}}"]
            if name == "hung":
                hooks = [f"{{url: '{self.slow.url}{name}', timeout: 500ms}}"]
            elif name == "retry":
                hooks.append(f"{{url: '{self.failing.url}{name}'}}")
            elif name == "filter":
                hooks.append(f"{{url: '{self.second.url}{name}', send_resolved: false}}")
            receivers.append(f"- {{name: {name}, webhook_configs: [{', '.join(hooks)}]}}\n")
        return (
            "global: {resolve_timeout: 3s}\n"
            "route:\n  receiver: merge\n  group_wait: 1s\n  group_interval: 1s\n  routes:\n"
            + "".join(routes)
            + "inhibit_rules:\n- \n- source_match: {alertname: JobDown}\n"
            "  target_match: {alertname: InstanceDown}\n  equal: [flow, zone]\n"
            "receivers:\n" + "".join(receivers)
        )

    def close(self) -> None:
        self.node.close()
        for sink in self.sinks:
            sink.__exit__()

    def post(self, *alerts: Mapping[str, Any]) -> None:
        self.node.api.post_alerts(*alerts)

    def got(self, flow: str, sink: WebhookSink | None = None) -> list[Received]:
        return [each for each in (sink or self.sink).all() if each.path == f"/{flow}"]

    def wait(
        self, flow: str, what: Callable[[list[dict[str, Any]]], bool], sink: WebhookSink | None = None
    ) -> list[dict[str, Any]]:
        """The alerts of the first notification of ``flow`` that ``what`` takes."""

        def found() -> list[dict[str, Any]]:
            matching = (each.body["alerts"] for each in self.got(flow, sink))
            return next((alerts for alerts in matching if what(alerts)), [])

        eventually(lambda: bool(found()), f"{flow}: {[each.body for each in self.got(flow, sink)]}")
        return found()


def alert(
    flow: str, name: str, starts: datetime, ends: datetime | None = None, note: str = "", **labels: str
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "labels": {"alertname": name, "flow": flow, **labels},
        "startsAt": rfc3339(starts),
        "endsAt": rfc3339(ends or datetime.now(UTC) + AFTER),
    }
    if note:
        found["annotations"] = {"note": note}
    return found


def states(alerts: list[dict[str, Any]], label: str = "alertname") -> dict[str, str]:
    return {each["labels"][label]: each["status"] for each in alerts}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def merge(stage: Stage, flow: str = "merge", lasting: timedelta = AFTER) -> None:
    """The earliest start stands, the newest annotations do, and of two ends the later; what fires after its
    end is another one."""
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=20)
    until = datetime.now(UTC) + lasting
    stage.post(alert(flow, "test", begin + timedelta(seconds=1), until))
    stage.post(alert(flow, "test", begin, until))
    for note, starts in (("", begin), ("v1", begin + timedelta(seconds=2)), ("v2", begin)):
        if note:
            stage.post(alert(flow, "test", starts, until, note=note))
        [found] = stage.wait(flow, lambda a, note=note: a[0]["annotations"].get("note", "") == note)  # type: ignore[misc]
        if note:
            assert moment(found["startsAt"]) == begin, note
    end = begin + timedelta(seconds=10)
    stage.post(alert(flow, "test", begin, end, note="v3"))
    stage.post(alert(flow, "test", begin, end - timedelta(seconds=1), note="v3"))
    [found] = stage.wait(flow, lambda a: a[0]["status"] == "resolved")
    assert (moment(found["startsAt"]), moment(found["endsAt"])) == (begin, end)
    assert found["annotations"] == {"note": "v3"}
    again = end + timedelta(seconds=1)
    stage.post(alert(flow, "test", again))
    stage.wait(flow, lambda a: a[0]["status"] == "firing" and moment(a[0]["startsAt"]) == again)


def merge_of_ones_that_last(stage: Stage) -> None:
    """The same of alerts as Prometheus posts them, and it is repeated as long as it fires."""
    merge(stage, "lasting", timedelta(seconds=120))
    eventually(lambda: len(stage.got("lasting")) >= 6, "one for each change, and repeated")


def retry(stage: Stage) -> None:
    """A receiver that fails is tried again, one that has taken it gets it once."""
    stage.failing.status = 500
    stage.post(alert("retry", "test1", datetime.now(UTC)))
    stage.wait("retry", lambda a: states(a) == {"test1": "firing"})
    eventually(lambda: len(stage.got("retry", stage.failing)) >= 2, "a second attempt")
    stage.failing.status = 200
    eventually(lambda: stage.got("retry", stage.failing)[-1].status == 200, "it was taken at last")
    assert len(stage.got("retry")) == 1


def batches(stage: Stage) -> None:
    """What comes within the waits goes out together, and without a change nothing does."""
    now = datetime.now(UTC)
    stage.post(alert("batches", "test1", now))
    stage.post(alert("batches", "test5", now))
    stage.wait("batches", lambda a: states(a) == {"test1": "firing", "test5": "firing"})
    stage.post(*(alert("batches", f"test{n}", now) for n in (2, 3, 4)))
    stage.wait("batches", lambda a: len(states(a)) == 5)
    ticks = len(stage.got("lasting"))
    eventually(lambda: len(stage.got("lasting")) > ticks + 2 or stage_is_over(stage), "other groups go on")
    assert len(stage.got("batches")) == 2


def stage_is_over(stage: Stage) -> bool:
    """Whether the flow that ticks has come to its end, as on a slow machine it may have before."""
    return len(stage.got("lasting")) > 8


def ended(stage: Stage) -> None:
    """Without an end, an alert ends by ``resolve_timeout`` after it was heard of; all in one notification."""
    posted = [alert("ended", "test", datetime.now(UTC), label=v) for v in ("v1", "v2", "v3")]
    for each in posted:
        del each["endsAt"], each["startsAt"]
    stage.post(*posted)
    stage.wait("ended", lambda a: states(a, "label") == dict.fromkeys(("v1", "v2", "v3"), "firing"))
    found = stage.wait("ended", lambda a: states(a, "label") == dict.fromkeys(("v1", "v2", "v3"), "resolved"))
    for each in found:
        assert moment(each["endsAt"]) - moment(each["startsAt"]) == timedelta(seconds=3)


def filtered(stage: Stage) -> None:
    """``send_resolved: false`` sends no end, and knows of it nevertheless."""
    now = datetime.now(UTC)

    def both(first: dict[str, str], second: dict[str, str] | None) -> None:
        stage.wait("filter", lambda a: states(a, "label") == first)
        if second is not None:
            stage.wait("filter", lambda a: states(a, "label") == second, stage.second)

    stage.post(*(alert("filter", "test", now, label=v) for v in ("v1", "v2")))
    both({"v1": "firing", "v2": "firing"}, {"v1": "firing", "v2": "firing"})
    stage.post(alert("filter", "test", now, now, label="v1"), alert("filter", "test", now, label="v3"))
    both({"v1": "resolved", "v2": "firing", "v3": "firing"}, {"v2": "firing", "v3": "firing"})
    stage.post(alert("filter", "test", now, now, label="v2"))
    both({"v2": "resolved", "v3": "firing"}, None)
    stage.post(alert("filter", "test", now, label="v1"))
    both({"v1": "firing", "v3": "firing"}, {"v1": "firing", "v3": "firing"})
    sent = [states(each.body["alerts"], "label") for each in stage.got("filter", stage.second)]
    assert len(sent) == 3, f"none for the end of v2: {sent}"


def reload(stage: Stage) -> None:
    """What was notified before a reload is not notified again, but with what is new."""
    stage.post(alert("reload", "test1", datetime.now(UTC)))
    stage.wait("reload", lambda a: states(a) == {"test1": "firing"})
    assert stage.node.api.http.post("/-/reload").status_code == 200
    stage.post(alert("reload", "test2", datetime.now(UTC)))
    stage.wait("reload", lambda a: states(a) == {"test1": "firing", "test2": "firing"})
    assert [len(each.body["alerts"]) for each in stage.got("reload")] == [1, 2]


def silence(stage: Stage) -> None:
    """Silenced is left out, and sent once the silence is deleted."""
    id_ = stage.node.api.post_silence([matcher("alertname", "test1"), matcher("flow", "silence")])
    now = datetime.now(UTC)
    stage.post(alert("silence", "test1", now), alert("silence", "test2", now))
    stage.wait("silence", lambda a: states(a) == {"test2": "firing"})
    stage.node.api.expire_silence(id_)
    stage.wait("silence", lambda a: states(a) == {"test1": "firing", "test2": "firing"})


def inhibit(stage: Stage) -> None:
    """A source mutes the targets of its zone, and no longer once it has ended."""
    now = datetime.now(UTC)
    aa, ab = (alert("inhibit", "InstanceDown", now, zone=zone) for zone in ("aa", "ab"))
    stage.post(alert("inhibit", "test1", now, zone="aa"), aa, ab)

    def seen(alerts: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
        return {(a["labels"]["alertname"], a["labels"]["zone"], a["status"]) for a in alerts}

    down, other, test = (
        ("InstanceDown", "aa", "firing"),
        ("InstanceDown", "ab", "firing"),
        ("test1", "aa", "firing"),
    )
    stage.wait("inhibit", lambda a: seen(a) == {down, other, test})
    stage.post(alert("inhibit", "JobDown", now, zone="aa"))
    stage.wait("inhibit", lambda a: seen(a) == {other, test, ("JobDown", "aa", "firing")})
    stage.post(alert("inhibit", "JobDown", now, datetime.now(UTC), zone="aa"))
    stage.wait("inhibit", lambda a: seen(a) == {down, other, test, ("JobDown", "aa", "resolved")})


def together(stage: Stage) -> None:
    """Source and target that end together are both in the last notification."""
    now = datetime.now(UTC)
    stage.post(*(alert("together", name, now, zone="z") for name in ("JobDown", "InstanceDown")))
    stage.wait("together", lambda a: states(a) == {"JobDown": "firing"})
    end = datetime.now(UTC)
    stage.post(*(alert("together", name, now, end, zone="z") for name in ("JobDown", "InstanceDown")))
    stage.wait("together", lambda a: states(a) == {"JobDown": "resolved", "InstanceDown": "resolved"})


def hung(stage: Stage) -> None:
    """A receiver's ``timeout`` ends an attempt that hangs, and it is tried again, long before the group."""
    stage.slow.delay = 3.0
    stage.post(alert("hung", "test1", datetime.now(UTC)))
    eventually(lambda: len(stage.got("hung", stage.slow)) >= 2, "another attempt")


def utf8(stage: Stage) -> None:
    """Names and values beyond ASCII are matched, grouped by and sent."""
    posted = alert("none", "test", datetime.now(UTC))
    posted["labels"] |= {"föö bar": "b🙂", "Σ": "eΘ"}
    stage.post(posted)
    [found] = stage.wait("utf8", lambda a: len(a) == 1)
    assert found["labels"] == posted["labels"]
    assert stage.got("utf8")[0].body["groupLabels"] == {"föö bar": "b🙂"}


FLOWS = (
    merge,
    merge_of_ones_that_last,
    retry,
    batches,
    ended,
    filtered,
    silence,
    inhibit,
    together,
    hung,
    utf8,
)


@pytest.fixture(params=["ours", pytest.param("theirs", marks=pytest.mark.slow)])
def kind(request: pytest.FixtureRequest, ours: NodeKind) -> NodeKind:
    """The node under test; in slow tests also the real one, which tests the tests."""
    return ours if request.param == "ours" else alertmanager.alertmanager("0.33")


ALONE = {"cluster.listen-address": ""}


@pytest.fixture
def stage(kind: NodeKind, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(kind, tmp_path / "node", flags=ALONE)
    yield made
    made.close()


def test_the_flows(stage: Stage) -> None:
    with ThreadPoolExecutor(len(FLOWS)) as threads:
        running = {flow.__name__: threads.submit(flow, stage) for flow in FLOWS}
    failed = {name: error for name, each in running.items() if (error := each.exception()) is not None}
    if failed:
        raise ExceptionGroup(", ".join(failed), [e for e in failed.values() if isinstance(e, Exception)])
    reload(stage)  # Among them it would cut off what is just being sent, which is then sent again.


def test_the_start_delay_gathers_what_fires_already(kind: NodeKind, tmp_path: Path) -> None:
    """Nothing is sent before it is over, although the first has fired for long; a reload adds none."""
    for delay in (4, 20):  # Of a slow machine the start alone takes longer than the first.
        if gathered(kind, tmp_path / str(delay), delay):
            return
    raise AssertionError("no start was in time")


def gathered(kind: NodeKind, folder: Path, delay: int) -> bool:
    """Whether all was posted before the delay was over; AssertionError if it was not gathered then."""
    began = time.monotonic()
    stage = Stage(kind, folder, flags={**ALONE, "dispatch.start-delay": f"{delay}s"})
    try:
        long_ago = datetime.now(UTC) - timedelta(seconds=100)
        stage.post(alert("batches", "test1", long_ago))
        stage.post(alert("batches", "test2", datetime.now(UTC)))
        if time.monotonic() - began > delay / 2:
            return False
        stage.wait("batches", lambda a: states(a) == {"test1": "firing", "test2": "firing"})
        assert stage.node.api.http.post("/-/reload").status_code == 200
        stage.post(*(alert("batches", name, long_ago) for name in ("test3", "test4")))
        stage.wait("batches", lambda a: len(states(a)) == 4)
        assert [len(each.body["alerts"]) for each in stage.got("batches")] == [2, 4]
        return True
    finally:
        stage.close()


def test_the_api_says_how_an_alert_is_now_and_filters(stage: Stage) -> None:
    """Active, silenced, inhibited too, and only inhibited: each as soon as it is so."""
    now = datetime.now(UTC)
    down = alert("api", "InstanceDown", now, zone="q")
    stage.post(down, alert("api", "Other", now, zone="p"))

    def status(name: str) -> dict[str, Any]:
        found = stage.node.api.http.get(
            "/api/v2/alerts", params=[("filter", "flow=api"), ("filter", f"alertname={name}")]
        ).json()
        [one] = found
        return dict(one["status"], fingerprint=one["fingerprint"])

    assert status("InstanceDown")["state"] in ("active", "unprocessed")
    eventually(lambda: status("InstanceDown")["state"] == "active", "it is active")
    id_ = stage.node.api.post_silence([matcher("alertname", "InstanceDown"), matcher("flow", "api")])
    silenced = status("InstanceDown")
    assert (silenced["state"], silenced["silencedBy"], silenced["inhibitedBy"]) == ("suppressed", [id_], [])
    stage.post(alert("api", "JobDown", now, zone="q"))
    source = status("JobDown")["fingerprint"]
    eventually(lambda: status("InstanceDown")["inhibitedBy"] == [source], "it is inhibited, too")
    assert status("InstanceDown")["silencedBy"] == [id_]
    stage.node.api.expire_silence(id_)
    left = status("InstanceDown")
    assert (left["state"], left["silencedBy"], left["inhibitedBy"]) == ("suppressed", [], [source])
    assert status("JobDown")["state"] == "active"


def test_all_is_served_below_a_prefix(kind: NodeKind, tmp_path: Path) -> None:
    node = Node(
        kind,
        "node",
        tmp_path / "node",
        config="route: {receiver: r}\nreceivers: [{name: r}]\n",
        flags={**ALONE, "web.route-prefix": "/prefix"},
    )
    node.api.http.base_url = f"{node.url}/prefix"
    try:
        node.start(fixed_ports=True)  # Another port would have another client, without the prefix.
        for path in ("/-/ready", "/api/v2/status", "/metrics", "/"):
            assert node.api.http.get(path).status_code == 200, path
        assert node.api.http.get(f"{node.url}/api/v2/status").status_code == 404
    finally:
        node.close()
