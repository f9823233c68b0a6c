"""Why was I paged, why was I not: the story of each case, from what the real pipeline decided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from simulation.alerting import NoSilences
from tests.support.pipelines import PEER_TIMEOUT
from tests.support.recorded import RecordedPipeline
from tests.support.routing import T0, alert, one_route, route_config
from tocsin.alerting.alert import Alert
from tocsin.alerting.explain.explanation import MAX_EARLIER, Scene, explain
from tocsin.alerting.explain.knowledge import HeldAlert, Knowledge, Timer
from tocsin.alerting.explain.routes import routing_steps
from tocsin.alerting.explain.story import AtNode, SilenceNote, Story
from tocsin.alerting.explain.text import render
from tocsin.alerting.inhibit import Inhibitor, InhibitRule
from tocsin.alerting.intent import Intents, key_of
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import parse_matchers
from tocsin.alerting.muting import Inhibitions, Muter
from tocsin.alerting.nflog import Entry, Receiver, codec
from tocsin.alerting.record.codec import decode, encode
from tocsin.alerting.route import Route, build_route
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.node.config.alertmanager import AlertmanagerConfig

MINUTE = 60 * SECOND
DISK = alert(alertname="DiskFull", instance="a", severity="warning")


class Silenced:
    def mutes(self, labels: Labels, _now: Nanoseconds, /) -> tuple[str, ...]:
        return ("5f2c",) if labels.value("alertname") == "DiskFull" else ()

    def muting(self, labels: Labels, now: Nanoseconds, _most: int, /) -> Steps[tuple[str, ...]]:
        return self.mutes(labels, now)
        yield


def told(
    world: RecordedPipeline,
    now: Nanoseconds,
    *,
    about: Alert = DISK,
    silences: Muter | None = None,
    inhibitor: Inhibitions | None = None,
    next_flush: Nanoseconds | None = None,
) -> Story:
    """The story as a node tells it: records have been on the disk, and what is under way comes first."""
    whole = {(each.group_key, each.began): decode(encode(each)) for each in world.told}
    group = world.route.id, world.route.group_labels(about.labels)
    return explain(
        Scene(
            labels=about.labels,
            now=now,
            config=world.config,
            inhibitor=inhibitor or NoSilences(),
            silences=silences or NoSilences(),
            alert=about,
            records=[*world.under_way(), *reversed(whole.values())],
            next_flushes={} if next_flush is None else {group: next_flush},
            node="here",
        )
    )


def headline(story: Story) -> str:
    """The line that says what became of it."""
    return next(line for line in render(story).splitlines() if line.startswith("hook: "))


def entry(at: Nanoseconds, *alerts: Alert) -> Entry:
    hashes = tuple(each.labels.hash for each in alerts)
    return codec.encode(
        Entry(b"{}:{}", Receiver("hook", "webhook", 0), at, hashes, (), at + 120 * 3600 * SECOND)
    )


def test_sent() -> None:
    world = RecordedPipeline()
    world.start(DISK)
    world.succeed(T0 + SECOND)
    story = told(world, T0 + 10 * MINUTE, next_flush=T0 + 12 * MINUTE)
    assert (
        render(story)
        == """\
{alertname="DiskFull", instance="a", severity="warning"}
  firing at here since 2027-01-15T08:00:00Z (10m ago)

hook: SENT 2027-01-15T08:00:01Z (9m59s ago) by here, first notification
  group {alertname="DiskFull"}
  next flush 2027-01-15T08:12:00Z (in 2m)
  2027-01-15T08:00:01Z [here] hook/webhook[0] sent: first notification; again 2027-01-15T12:00:01Z \
(in 3h50m1s)

routes
  + hook: {}
"""
    )


def test_silenced() -> None:
    world = RecordedPipeline(silences=Silenced())
    world.start(DISK)
    story = told(world, T0 + MINUTE, silences=Silenced())
    assert headline(story) == "hook: NOT SENT 2027-01-15T08:00:00Z (1m ago), silenced by 5f2c"
    assert "  silenced now by 5f2c\n" in render(story)
    ends = T0 + 60 * MINUTE
    known = (SilenceNote("5f2c", "ana", "a disk\n is replaced", ends), SilenceNote("6", "", "x" * 300, ends))
    text = render(replace(story, silences=known))
    assert "\n    5f2c: by ana, until 2027-01-15T09:00:00Z (in 59m): a disk is replaced\n" in text
    assert f"\n    6: by nobody named, until 2027-01-15T09:00:00Z (in 59m): {'x' * 200}...\n" in text
    again = story.groups[0].outcomes[0].again_at
    assert again == T0 + world.route.options.group_interval
    assert "; again " in render(story)
    assert "; again " not in render(replace(story, at=again + MINUTE)), "that is past"


def test_silenced_while_its_group_is_being_sent() -> None:
    """The flush began before the silence. The headline is about the alert first."""
    world = RecordedPipeline()
    world.start(DISK, alert(alertname="DiskFull", instance="b"))
    world.fail(T0 + SECOND, "no")
    story = told(world, T0 + MINUTE, silences=Silenced())
    assert headline(story) == (
        "hook: SILENCED by 5f2c, while its group is UNDER WAY 2027-01-15T08:00:01Z (59s ago),"
        " 1 attempt, the last one: no (serverError)"
    )
    assert headline(told(world, T0 + MINUTE)).startswith("hook: UNDER WAY ")
    there = AtNode(node="there", state="firing", inhibited_by="{a}, rule 0")
    story = replace(story, silenced_by=(), elsewhere=(there,))
    assert headline(story).startswith("hook: INHIBITED by {a}, rule 0, while its group is UNDER WAY ")
    world.at(T0 + 2 * SECOND)
    world.succeed(T0 + 2 * SECOND)
    assert headline(told(world, T0 + MINUTE, silences=Silenced())).startswith("hook: SENT ")


def test_inhibited() -> None:
    rule = InhibitRule(
        source_matchers=parse_matchers("severity=critical"),
        target_matchers=parse_matchers("severity=warning"),
        name="by severity",
    )
    inhibitor = Inhibitor([rule])
    inhibitor.put(alert(alertname="Down", severity="critical"))
    world = RecordedPipeline(inhibitor=inhibitor)
    world.start(DISK)
    story = told(world, T0 + MINUTE, inhibitor=inhibitor)
    by = '{alertname="Down", severity="critical"}, rule 0 (by severity)'
    assert headline(story) == f"hook: NOT SENT 2027-01-15T08:00:00Z (1m ago), inhibited by {by}"
    assert f"  inhibited now by {by}\n" in render(story)


def test_muted_by_time() -> None:
    world = RecordedPipeline(route=one_route(mute=("always",)))
    world.start(DISK)
    story = told(world, T0 + MINUTE)
    assert headline(story).endswith(
        "NOT SENT 2027-01-15T08:00:00Z (1m ago), muted by the time interval always"
    )
    assert "  the route is muted now by always\n" in render(story)
    assert " muted by the time interval always" in render(story)
    assert "muted: muted" not in render(story)


def test_outside_of_its_active_times() -> None:
    world = RecordedPipeline(route=one_route(active=("never",)), time_intervals={"never": ()})
    world.start(DISK)
    assert headline(told(world, T0)).endswith("outside of its active time intervals (never)")


def test_grouped_and_waiting() -> None:
    story = told(RecordedPipeline(), T0 + 10 * SECOND, next_flush=T0 + 30 * SECOND)
    assert headline(story) == "hook: WAITING, the group is flushed 2027-01-15T08:00:30Z (in 20s)"


def test_waiting_for_those_before() -> None:
    world = RecordedPipeline(position=2)
    world.start(DISK)
    story = told(world, T0 + SECOND)
    assert headline(story).endswith("(1s ago), it waits for 2 peers before it")
    assert story.groups[0].outcomes[0].again_at == T0 + 2 * PEER_TIMEOUT


def test_waiting_for_the_cluster() -> None:
    world = RecordedPipeline(settled=False)
    world.start(DISK)
    assert headline(told(world, T0 + SECOND)).endswith("it waits for the cluster to settle")


def test_sent_by_a_peer_that_the_log_does_not_name() -> None:
    world = RecordedPipeline(position=1)
    world.start(DISK)
    world.merge(entry(T0 + SECOND, DISK), T0 + SECOND)
    world.at(T0 + PEER_TIMEOUT)
    story = told(world, T0 + MINUTE)
    assert headline(story) == (
        "hook: SENT BY A PEER 2027-01-15T08:00:01Z (59s ago), by a node that has no record of it; the "
        "notification log says so"
    )


def test_sent_by_a_peer_that_told_its_intent() -> None:
    intents = Intents("here", now=0)
    intents.members(1, frozenset({"there"}), T0)
    there = Intents("there", now=0)
    there.members(0, frozenset({"here"}), T0)
    world = RecordedPipeline(position=1, intents=intents)
    world.start(DISK)
    sent = entry(T0 + SECOND, DISK)
    key = key_of(sent.receiver, "{}:{}")
    lease = there.sending(None, key, 1, T0 + MINUTE, T0)
    there.done(lease, sent.timestamp, T0 + SECOND)
    for payload in there.drain():
        intents.receive(payload, T0 + SECOND)
    world.merge(sent, T0 + SECOND)
    world.at(T0 + PEER_TIMEOUT)
    story = told(world, T0 + MINUTE)
    assert headline(story).endswith("(59s ago) by there, its intent and the notification log say so")
    assert story.groups[0].outcomes[0].node == "there"


def test_what_was_sent_here_is_no_peers() -> None:
    world = RecordedPipeline()
    world.start(DISK)
    world.succeed(T0 + SECOND)
    world.start(DISK, now=T0 + 5 * MINUTE)
    story = told(world, T0 + 6 * MINUTE)
    assert [each.what for each in story.groups[0].outcomes] == ["not needed", "sent"]
    assert headline(story).startswith("hook: SENT 2027-01-15T08:00:01Z (5m59s ago) by here")


def test_failed_and_retried() -> None:
    world = RecordedPipeline()
    world.start(DISK)
    world.fail(T0 + SECOND, "unexpected status code 503")
    trying = told(world, T0 + SECOND)
    again = world.under_way()[0].deliveries[0].attempts[-1].again_at
    assert again is not None
    assert trying.groups[0].outcomes[0].again_at == again
    assert headline(trying) == (
        "hook: UNDER WAY 2027-01-15T08:00:01Z (now), 1 attempt, the last one: unexpected status code 503 "
        "(serverError)"
    )
    world.at(again)
    world.succeed(again + SECOND)
    assert headline(told(world, T0 + MINUTE)).endswith(
        "by here, first notification; 1 attempt before it failed, the last one: unexpected status code 503"
    )


def test_given_up() -> None:
    world = RecordedPipeline()
    world.start(DISK)
    world.fail(T0 + SECOND, "unexpected status code 400", retry=False, reason="clientError")
    story = told(world, T0 + SECOND)
    assert headline(story) == (
        "hook: FAILED 2027-01-15T08:00:01Z (now), unexpected status code 400 (clientError), 1 attempt"
    )
    assert story.groups[0].outcomes[0].again_at == T0 + world.route.options.group_interval


def test_what_a_clock_that_was_ahead_stamped_is_not_the_last_word() -> None:
    """The clock was thirty days ahead for a while: what was done then is no later than what came after."""
    world = RecordedPipeline()
    ahead = T0 + 30 * 24 * 60 * MINUTE
    world.start(DISK, now=ahead)
    world.fail(ahead + SECOND, "context deadline exceeded", retry=False)
    world.start(DISK)
    world.succeed(T0 + SECOND)
    story = told(world, T0 + 10 * MINUTE)
    assert "failed: context deadline exceeded" in render(story)
    assert headline(story) == "hook: SENT 2027-01-15T08:00:01Z (9m59s ago) by here, first notification"


def test_receivers_of_a_group_that_fare_differently() -> None:
    world = RecordedPipeline(hooks=2)
    world.start(DISK)
    world.succeed(T0, attempt=0)
    world.fail(T0 + SECOND, "unexpected status code 400", retry=False, reason="clientError")
    assert headline(told(world, T0 + SECOND)) == (
        "hook: FAILED to webhook[1] 2027-01-15T08:00:01Z (now), unexpected status code 400 (clientError), 1 "
        "attempt; SENT to webhook[0] 2027-01-15T08:00:00Z (1s ago) by here, first notification"
    )


def test_an_end_is_told_as_one() -> None:
    world = RecordedPipeline()
    ended = replace(DISK, ends_at=T0 + SECOND)
    world.log.put(entry(T0 + SECOND, DISK), T0 + SECOND)
    world.start(ended, now=T0 + MINUTE)
    world.succeed(T0 + MINUTE)
    assert headline(told(world, T0 + MINUTE, about=ended)).startswith("hook: SENT AS RESOLVED")


def elsewhere(world: RecordedPipeline, **more: Any) -> Story:
    """The story as a node without any record tells it, with what ``world`` has told it."""
    there = Knowledge(
        node="there",
        alerts=(HeldAlert(labels=DISK.labels, starts_at=DISK.starts_at, ends_at=0),),
        timers=(Timer(route_id=world.route.id, labels=(("alertname", "DiskFull"),), due=T0 + 2 * MINUTE),),
        records=tuple(world.told),
    )
    return explain(
        Scene(
            labels=DISK.labels,
            now=T0 + MINUTE,
            config=world.config,
            inhibitor=NoSilences(),
            silences=NoSilences(),
            node="here",
            others=(there,),
            **more,
        )
    )


def test_what_another_node_knows_is_told_with_its_name() -> None:
    world = RecordedPipeline(node="there")
    world.start(DISK)
    world.succeed(T0 + SECOND)
    text = render(elsewhere(world))
    assert "  not known at here; firing at there since 2027-01-15T08:00:00Z (1m ago)\n" in text
    assert "hook: SENT 2027-01-15T08:00:01Z (59s ago) by there, first notification\n" in text
    assert "  next flush 2027-01-15T08:02:00Z (in 1m)\n" in text


def test_of_an_alertmanager_the_notification_log_tells() -> None:
    world = RecordedPipeline()
    logged = {("hook", '{}:{alertname="DiskFull"}'): entry(T0 + SECOND, DISK)}
    story = elsewhere(
        world, silent=("go1",), log=lambda receiver, key: logged.get((receiver.group_name, key))
    )
    assert headline(story) == (
        "hook: SENT BY A PEER 2027-01-15T08:00:01Z (59s ago) by go1, the notification log says so"
    )
    other = alert(alertname="DiskFull", instance="b")
    logged = {("hook", '{}:{alertname="DiskFull"}'): entry(T0 + SECOND, other)}
    story = elsewhere(world, log=lambda receiver, key: logged.get((receiver.group_name, key)))
    assert headline(story) == "hook: WAITING, the group is flushed 2027-01-15T08:02:00Z (in 1m)"
    assert "the group was notified at 2027-01-15T08:00:01Z, without this alert" in render(story)


def test_a_stamp_that_lies_ahead_is_no_notification_of_its_own() -> None:
    """A peer's clock was ahead: what is sent after that is stamped later still."""
    world = RecordedPipeline(position=1)
    ahead = T0 + 1000 * MINUTE
    world.log.put(entry(ahead, alert(alertname="Other")), T0)
    world.start(DISK)
    world.at(T0 + PEER_TIMEOUT)
    world.succeed(T0 + PEER_TIMEOUT)
    world.start(DISK, now=T0 + 5 * MINUTE)
    world.merge(entry(ahead + 2, DISK), T0 + 5 * MINUTE)
    world.at(T0 + 5 * MINUTE + PEER_TIMEOUT)
    story = told(world, T0 + 10 * MINUTE)
    assert [each.what for each in story.groups[0].outcomes] == ["not needed", "sent"]


def test_a_node_that_is_alone_sent_what_the_log_has() -> None:
    """Its record begins later, or it keeps none."""
    story = explain(
        Scene(
            labels=DISK.labels,
            now=T0 + MINUTE,
            config=RecordedPipeline().config,
            inhibitor=NoSilences(),
            silences=NoSilences(),
            alert=DISK,
            node="here",
            alone=True,
            log=lambda _receiver, _key: entry(T0 + SECOND, DISK),
        )
    )
    assert headline(story) == (
        "hook: SENT 2027-01-15T08:00:01Z (59s ago) by here, the notification log says so, and it has no "
        "record of it"
    )


def test_what_failed_before_a_peer_sent_it_is_told() -> None:
    world = RecordedPipeline()
    world.start(DISK)
    world.fail(T0 + SECOND, "unexpected status code 503")
    again = world.under_way()[0].deliveries[0].attempts[-1].again_at
    assert again is not None
    world.merge(entry(T0 + 2 * SECOND, DISK), again)
    text = render(told(world, T0 + MINUTE))
    assert "hook: SENT BY A PEER" in text
    assert "hook/webhook[0] failed: 1 attempt, the last one: unexpected status code 503; then a peer" in text


def tree() -> Route:
    return build_route(
        route_config(
            "",
            route_config('severity="page"', receiver="phone"),
            route_config('team="db"', route_config('env="prod"', receiver="db-prod"), receiver="db"),
            route_config("", receiver="rest"),
            receiver="hook",
        )
    )


def story_of(root: Route, **labels: str) -> Story:
    return explain(
        Scene(
            labels=Labels(labels),
            now=T0,
            config=AlertmanagerConfig(route=root, receivers=()),
            inhibitor=NoSilences(),
            silences=NoSilences(),
        )
    )


def test_not_matched_as_its_owner_thought() -> None:
    text = render(story_of(tree(), team="db", severity="warning"))
    assert (
        text
        == """\
{severity="warning", team="db"}
  not known

db: NOT SENT, nobody holds the alert or has a record of it
  group {}

routes
  - hook: {}: routes below it took the alert
  - phone: {}/{severity="page"}/0: severity="page" does not match: severity is "warning"
  + db: {}/{team="db"}/1
  - db-prod: {}/{team="db"}/1/{env="prod"}/0: env="prod" does not match: there is no label env
  - rest: {}/{}/2: a route before it took the alert and does not continue
"""
    )


def test_a_group_of_a_route_that_is_gone_is_told_too() -> None:
    world = RecordedPipeline()
    world.start(DISK)
    world.succeed(T0)
    records = [replace(world.last, route_id="{}/{old}/0", receiver="old")]
    story = explain(
        Scene(
            labels=DISK.labels,
            now=T0,
            config=world.config,
            inhibitor=NoSilences(),
            silences=NoSilences(),
            records=records,
        )
    )
    assert [(each.receiver, len(each.outcomes)) for each in story.groups] == [("hook", 0), ("old", 1)]


values = st.sampled_from(["", "db", "page", "prod"])


@st.composite
def configs(draw: st.DrawFn, depth: int = 3) -> object:
    name = draw(st.sampled_from(["severity", "team", "env"]))
    below = [draw(configs(depth - 1)) for _ in range(draw(st.integers(0, 3)))] if depth else []
    return route_config(
        f'{name}="{draw(values)}"' if draw(st.booleans()) else "",
        *below,  # type: ignore[arg-type]
        receiver="hook",
        continue_=draw(st.booleans()),
    )


@given(configs(), st.dictionaries(st.sampled_from(["severity", "team", "env"]), values))
def test_the_routes_taken_are_those_of_the_tree(below: object, labels: dict[str, str]) -> None:
    root = build_route(route_config("", below, receiver="hook"))  # type: ignore[arg-type]
    taken = [each.id for each in routing_steps(root, Labels(labels)) if each.taken]
    assert taken == [route.id for route in root.match(Labels(labels))]


def test_of_routes_that_an_alert_takes_no_more_some_are_told() -> None:
    """A peer may tell of any number of them."""
    world = RecordedPipeline(node="there")
    world.start(DISK)
    world.succeed(T0 + SECOND)
    world.told = [replace(world.told[0], route_id=f"r{number}") for number in range(2 * MAX_EARLIER)]
    story = elsewhere(world)
    assert len(story.groups) == 1 + MAX_EARLIER
