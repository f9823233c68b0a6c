"""Whatever happens to a dispatcher: no alert is lost, and no group notifies twice at the same time."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from tests.support.amounts import many
from tests.support.routing import T0, alert, route_config
from tocsin.alerting.alert import Alert
from tocsin.alerting.dispatch import Dispatcher
from tocsin.alerting.group import Flush
from tocsin.alerting.route import build_route
from tocsin.alerting.timestamp import SECOND, ZERO, Nanoseconds

ROUTE = build_route(
    route_config(
        "",
        route_config('team="a"', receiver="a", group_by=("n",), continue_=True, group_wait=5 * SECOND),
        route_config('team=~"a|b"', receiver="b", group_by=("team",), group_interval=20 * SECOND),
        receiver="r",
        group_wait=10 * SECOND,
        group_interval=60 * SECOND,
    )
)

GroupName = tuple[str, str]


class DispatcherMachine(RuleBasedStateMachine):
    """Alerts come and go, time passes, flushes end in any order."""

    flushes = Bundle("flushes")

    def __init__(self) -> None:
        super().__init__()
        self.now: Nanoseconds = T0
        self.dispatcher = Dispatcher(ROUTE, now=T0)
        self.latest: dict[int, Alert] = {}
        self.under_way: dict[GroupName, Flush] = {}
        self.inserted_at: dict[int, Nanoseconds] = {}
        self.flushed_since: dict[int, set[GroupName]] = {}

    @rule(team=st.sampled_from("abc"), n=st.sampled_from("12"), firing=st.booleans())
    def report(self, team: str, n: str, firing: bool) -> None:
        report = alert(
            team=team, n=n, starts_at=self.now, ends_at=ZERO if firing else self.now, updated_at=self.now
        )
        self.dispatcher.insert(report, self.now)
        self.latest[report.fingerprint] = report
        self.inserted_at[report.fingerprint] = self.now
        self.flushed_since[report.fingerprint] = set()

    @rule(target=flushes, seconds=st.integers(0, 40))
    def wait(self, seconds: int) -> Flush | None:
        self.now += seconds * SECOND
        self.dispatcher.handle_timeout(self.now)
        begun = self.dispatcher.drain()
        for flush in begun:
            name = flush.route_id, flush.group_key
            assert name not in self.under_way, "a second flush of one group at the same time"
            assert flush.alerts, "an empty flush"
            self.under_way[name] = flush
            for one in flush.alerts:
                self.flushed_since[one.fingerprint].add(name)
        due = self.dispatcher.next_timeout()
        assert due is None or due > self.now
        return begun[-1] if begun else None

    @rule(flush=consumes(flushes), success=st.booleans())
    def end(self, flush: Flush | None, success: bool) -> None:
        if flush is None:
            return
        self.dispatcher.flushed(flush, self.now, success)
        name = flush.route_id, flush.group_key
        if self.under_way.get(name) is flush:  # it may have been told of an older one, in vain
            del self.under_way[name]

    @rule()
    def end_all(self) -> None:
        for flush in self.under_way.values():
            self.dispatcher.flushed(flush, self.now, success=True)
        self.under_way.clear()

    @invariant()
    def every_firing_alert_is_in_a_group_of_each_of_its_routes(self) -> None:
        held = {(view.id, one.fingerprint): one for view in self.dispatcher.groups() for one in view.alerts}
        for report in self.latest.values():
            if not report.resolved_at(self.now):
                for route in ROUTE.match(report.labels):
                    assert held[route.id, report.fingerprint] is report

    @invariant()
    def every_alert_reaches_a_flush_in_time_unless_one_is_under_way(self) -> None:
        for report in self.latest.values():
            waited = self.now - self.inserted_at[report.fingerprint]
            for route in ROUTE.match(report.labels):
                name = route.id, f"{route.key}:{route.group_labels(report.labels)}"
                if name not in self.under_way and waited > 60 * SECOND + 40 * SECOND:
                    due = self.dispatcher.next_timeout()
                    assert name in self.flushed_since[report.fingerprint] or due == self.now

    def teardown(self) -> None:
        for _ in range(4):
            self.end_all()
            self.wait(40)
        self.end_all()
        firing = {number for number, report in self.latest.items() if not report.resolved_at(self.now)}
        left = {one.fingerprint for view in self.dispatcher.groups() for one in view.alerts}
        assert left == firing, "after enough successful flushes only what fires is left"
        if not firing:
            assert len(self.dispatcher) == 0
            assert self.dispatcher.next_timeout() is None


TestDispatcherMachine = DispatcherMachine.TestCase
TestDispatcherMachine.settings = settings(max_examples=many(100), stateful_step_count=40)
