"""The routing tree: where alerts go, what routes inherit, and the texts that peers compare."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tests.support.routing import route_config
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, MatchType
from tocsin.alerting.route import (
    DEFAULT_GROUP_INTERVAL,
    DEFAULT_GROUP_WAIT,
    DEFAULT_REPEAT_INTERVAL,
    Route,
    RouteConfig,
    build_route,
)
from tocsin.alerting.timestamp import SECOND

TREE = build_route(
    route_config(
        "",
        route_config(
            'owner="team-A"',
            route_config('env="testing"', receiver="notify-testing", group_by_all=True),
            route_config(
                'env="production"', receiver="notify-productionA", group_wait=60 * SECOND, continue_=True
            ),
            route_config(
                'env=~"produ.*",job=~".*"',
                receiver="notify-productionB",
                group_wait=30 * SECOND,
                group_interval=5 * 60 * SECOND,
                repeat_interval=3600 * SECOND,
                group_by=("job",),
            ),
            receiver="notify-A",
        ),
        route_config(
            'owner=~"team-(B|C)"', group_by=("foo", "bar"), group_wait=120 * SECOND, receiver="notify-BC"
        ),
        route_config(
            'group_by="role"', route_config('env="testing"', receiver="role-testing"), group_by=("role",)
        ),
        receiver="notify-def",
    )
)


def _receivers(**labels: str) -> list[str]:
    return [route.options.receiver for route in TREE.match(Labels(labels))]


def test_an_alert_that_no_child_matches_stays_with_the_parent() -> None:
    assert _receivers(owner="team-X") == ["notify-def"]
    assert _receivers(owner="team-A", env="staging") == ["notify-A"]


def test_the_first_matching_child_takes_the_alert() -> None:
    assert _receivers(owner="team-A", env="testing") == ["notify-testing"]
    assert _receivers(owner="team-B") == ["notify-BC"]
    assert _receivers(owner="team-BB") == ["notify-def"], "regular expressions match all of the value"


def test_continue_lets_later_siblings_have_it_too() -> None:
    assert _receivers(owner="team-A", env="production") == ["notify-productionA", "notify-productionB"]


def test_an_absent_label_matches_as_the_empty_text() -> None:
    assert _receivers(owner="team-A", env="produ") == ["notify-productionB"], "job is absent"


def test_options_are_inherited_save_for_time_intervals() -> None:
    root = build_route(
        route_config(
            "",
            route_config('a="1"', route_config('b="1"', group_by=("x",)), group_by_all=True),
            receiver="r",
            group_by=("g",),
            group_wait=SECOND,
            mute=("nights",),
            active=("days",),
        )
    )
    child = root.children[0]
    grandchild = child.children[0]
    assert root.options.group_interval == DEFAULT_GROUP_INTERVAL == 300 * SECOND
    assert root.options.repeat_interval == DEFAULT_REPEAT_INTERVAL == 4 * 3600 * SECOND
    assert build_route(route_config(receiver="r")).options.group_wait == DEFAULT_GROUP_WAIT == 30 * SECOND
    assert child.options.receiver == "r"
    assert child.options.group_wait == SECOND
    assert child.options.group_by_all
    assert child.options.group_by == {"g"}
    assert (child.options.mute_time_intervals, child.options.active_time_intervals) == ((), ())
    assert not grandchild.options.group_by_all
    assert grandchild.options.group_by == {"x"}
    assert build_route(RouteConfig(receiver="r", group_by=())).options.group_by == frozenset()


def test_an_empty_group_by_is_one_group_for_all_and_not_the_parents() -> None:
    config = RouteConfig(
        receiver="r",
        group_by=("a",),
        routes=(RouteConfig(group_by=()), RouteConfig(), RouteConfig(group_by_all=True, group_by=())),
    )
    empty, absent, everything = build_route(config).children
    assert (empty.options.group_by, empty.options.group_by_all) == (frozenset(), False)
    assert absent.options.group_by == {"a"}
    assert everything.options.group_by_all


def test_group_labels_are_those_present_or_all() -> None:
    labels = Labels({"owner": "team-B", "foo": "1", "zoo": "2"})
    assert dict(TREE.children[1].group_labels(labels)) == {"foo": "1"}
    assert TREE.children[0].children[0].group_labels(labels) == labels


def test_keys_tell_the_matchers_and_ids_the_place_too() -> None:
    a, bc, role = TREE.children
    assert (TREE.key, TREE.id) == ("{}", "{}")
    assert a.children[2].key == '{}/{owner="team-A"}/{env=~"produ.*",job=~".*"}'
    assert a.children[2].id == '{}/{owner="team-A"}/0/{env=~"produ.*",job=~".*"}/2'
    assert bc.id == '{}/{owner=~"team-(B|C)"}/1'
    assert role.children[0].key == '{}/{group_by="role"}/{env="testing"}'


def test_matchers_stand_in_keys_in_alertmanagers_order() -> None:
    matchers = (
        Matcher(MatchType.REGEXP, "a", "1"),
        Matcher(MatchType.NOT_EQUAL, "a", "1"),
        Matcher(MatchType.EQUAL, "b", "0"),
        Matcher(MatchType.EQUAL, "a", "2"),
        Matcher(MatchType.EQUAL, "a", "1"),
    )
    route = build_route(RouteConfig(receiver="r", matchers=matchers))
    assert route.key == '{a="1",a!="1",a=~"1",a="2",b="0"}'


def test_walking_visits_parents_first() -> None:
    assert [route.id for route in TREE.walk()][:3] == [
        "{}",
        '{}/{owner="team-A"}/0',
        '{}/{owner="team-A"}/0/{env="testing"}/0',
    ]


_names = st.sampled_from("ab")
_values = st.sampled_from(["", "1", "2"])
_matchers = st.lists(
    st.builds(Matcher, st.sampled_from([MatchType.EQUAL, MatchType.NOT_EQUAL]), _names, _values), max_size=2
)
_trees = st.recursive(
    st.builds(RouteConfig, matchers=_matchers.map(tuple), continue_=st.booleans()),
    lambda children: st.builds(
        RouteConfig,
        matchers=_matchers.map(tuple),
        continue_=st.booleans(),
        routes=st.lists(children, max_size=3).map(tuple),
    ),
    max_leaves=12,
)


def _matches(route: Route, labels: Labels) -> bool:
    return all(matcher.matches_labels(labels) for matcher in route.matchers)


@settings(max_examples=many(200))
@given(_trees, st.dictionaries(_names, _values.filter(bool)))
def test_in_any_tree_an_alert_that_the_root_takes_is_never_lost(
    tree: RouteConfig, labels: dict[str, str]
) -> None:
    root = build_route(tree)
    alert = Labels(labels)
    found = root.match(alert)
    assert bool(found) is _matches(root, alert)
    assert len(found) == len({route.id for route in found}), "and comes to no route twice"
    for route in found:
        at: Route | None = route
        while at is not None:
            assert _matches(at, alert)
            at = at.parent
        assert not any(_matches(child, alert) for child in route.children), "and goes as deep as it can"
    assert len({route.id for route in root.walk()}) == len(list(root.walk()))
