"""The index finds what asking every silence one by one finds, whatever others have written."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tests.support.patterns import patterns
from tocsin.alerting import regex
from tocsin.alerting.labels import Labels
from tocsin.alerting.silence import Silence, make_matcher_sets
from tocsin.alerting.silence.index import SilenceIndex
from tocsin.errors import ValidationError

Triple = tuple[int, str, str]

values = st.one_of(st.text(alphabet="abck.\n", max_size=4), st.sampled_from(["", "a" * 300, "a" * 70_000]))
matchers = st.one_of(
    st.tuples(st.sampled_from([0, 2]), st.sampled_from("xy"), values),
    st.tuples(st.sampled_from([1, 3]), st.sampled_from("xy"), patterns()),
    st.tuples(st.sampled_from([1, 3]), st.sampled_from("xy"), st.just("(a?){1000}a*")),
)


def _silence(number: int, triples: list[Triple]) -> Silence | None:
    try:
        sets = make_matcher_sets([triples])
    except ValidationError:
        return None
    return Silence(f"s{number}", sets, 1, 2)


@settings(max_examples=many(200))
@given(
    st.lists(st.lists(matchers, min_size=1, max_size=3), min_size=1, max_size=12),
    st.lists(st.dictionaries(st.sampled_from("xyz"), values, min_size=1), min_size=1, max_size=3),
    st.integers(0, 11),
)
def test_the_index_equals_one_by_one(
    asked: list[list[Triple]], alerts: list[dict[str, str]], leaver: int
) -> None:
    index = SilenceIndex()
    there = [silence for number, each in enumerate(asked) if (silence := _silence(number, each))]
    for silence in there:
        index.add(silence)
    for _ in range(2):
        for alert in alerts:
            labels = Labels({name: value for name, value in alert.items() if value})
            expected = {silence.id for silence in there if silence.matches(labels)}
            assert index.find(labels) == expected
        if there:
            gone = there.pop(leaver % len(there))
            index.remove(gone)


def _one(identifier: str, pattern: str) -> Silence:
    return Silence(identifier, make_matcher_sets([[(1, "x", pattern)]]), 1, 2)


def test_a_pattern_changes_nothing_of_what_others_match() -> None:
    """Joined by their text, each of these would have had the others match more or less."""
    index = SilenceIndex()
    hostile = (
        "a)|(?:b",
        "c)|(?:.*d",
        "(?i)e",
        "(?P<n>f)",
        "(?P<n>g)",
        "(?s).h",
        "\\Qi|j\\E",
        "k|x",
        "(?m)^l$",
    )
    for number, pattern in enumerate((*hostile, "m", "n.o")):
        index.add(_one(str(number), pattern))
    found = {
        value: sorted(index.find(Labels({"x": value})), key=int)
        for value in ("ax", "xb", "E", "M", "f", "g", "\nh", "i|j", "i", "l", "m", "nxo", "n\no")
    }
    assert found == {
        "ax": ["0"],
        "xb": ["0"],
        "E": ["2"],
        "M": [],
        "f": ["3"],
        "g": ["4"],
        "\nh": ["5"],
        "i|j": ["6"],
        "i": [],
        "l": ["8"],
        "m": ["9"],
        "nxo": ["10"],
        "n\no": [],
    }


def test_a_new_pattern_has_few_others_compiled_anew() -> None:
    index = SilenceIndex()
    held = [_one(str(number), f"web-{number}-[0-9]+" + "x?" * 40) for number in range(500)]
    for silence in held:
        index.add(silence)
    index.find(Labels({"x": "nothing"}))
    all_of_them = sum(silence.regex_cost.size for silence in held)
    before = regex.compiled_size()
    index.add(_one("new", "new-[0-9]+"))
    index.find(Labels({"x": "nothing"}))
    assert regex.compiled_size() - before < all_of_them / 8


def test_of_many_patterns_that_come_and_go_the_right_ones_are_found() -> None:
    chance = Random(4)
    index = SilenceIndex()
    there: list[Silence] = []
    for number in range(1200):
        pattern = chance.choice(("host-{0}(:.*)?", "{0}.*", ".*{0}", "[ab]-{0}", "h.st-{0}|x{0}")).format(
            chance.randrange(600)
        )
        there.append(_one(str(number), pattern))
        index.add(there[-1])
        if chance.random() < 0.4:
            index.remove(there.pop(chance.randrange(len(there))))
        if number % 100 == 99:
            for value in (f"host-{chance.randrange(600)}", f"a-{chance.randrange(600)}", "x1", "none"):
                labels = Labels({"x": value})
                assert index.find(labels) == {each.id for each in there if each.matches(labels)}
    for silence in there:
        index.remove(silence)
    assert not index.find(Labels({"x": "host-1"}))


@pytest.mark.parametrize(
    "matchers",
    [
        lambda n: [(0, "cluster", "eu"), (0, "job", "node"), (0, "x", f"host-{n}")],
        lambda n: [(0, "cluster", "eu"), (1, "x", f"host-{n}(:.*)?")],
        lambda n: [(1, "cluster", "e.*"), (1, "x", f"host-{n}(:.*)?")],
        lambda n: [(2, "x", f"host-{n}"), (2, "severity", "page")],
        lambda n: [(3, "x", f"host-{n}.*"), (3, "severity", "pa.*")],
    ],
    ids=["equal", "equal and pattern", "patterns", "unequal", "negative patterns"],
)
def test_what_all_silences_share_does_not_have_each_of_them_tried(
    matchers: Callable[[int], list[Triple]],
) -> None:
    """By steps: one for so many sets that are tried, and one for each pattern."""
    index = SilenceIndex()
    for number in range(500):
        index.add(Silence(str(number), make_matcher_sets([matchers(number)]), 1, 2))
    labels = Labels({"cluster": "eu", "job": "node", "severity": "page", "x": "host-7"})
    index.find(labels)
    other = Labels({"cluster": "eu", "job": "node", "severity": "page", "x": "host-8"})
    assert sum(1 for _ in index.steps(other)) < 100


def test_what_several_shared_inequalities_rule_out_is_ruled_out_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index = SilenceIndex()
    for number in range(500):
        triples = [(2, "cluster", "us"), (2, "severity", "page"), (2, "x", f"host-{number}")]
        index.add(Silence(str(number), make_matcher_sets([triples]), 1, 2))
    looked_at: list[str] = []
    value = Labels.value

    def noting(labels: Labels, name: str) -> str:
        looked_at.append(name)
        return value(labels, name)

    monkeypatch.setattr(Labels, "value", noting)
    for ruled_out in ({"cluster": "eu", "severity": "page"}, {"cluster": "us", "severity": "none"}):
        index.find(Labels({**ruled_out, "x": "host-7"}))
        looked_at.clear()
        assert index.find(Labels({**ruled_out, "x": "host-8"})) == set()
        assert len(looked_at) < 10
    assert len(index.find(Labels({"x": "host-7"}))) == 499


def test_an_inequality_that_two_share_has_no_place_of_its_own_beside_one_that_all_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index = SilenceIndex()
    for number in range(500):
        triples = [(2, "cluster", "us"), (2, "x", f"host-{number // 2}")]
        index.add(Silence(str(number), make_matcher_sets([triples]), 1, 2))
    index.find(Labels({"cluster": "us"}))
    looked_at: list[str] = []
    value = Labels.value

    def noting(labels: Labels, name: str) -> str:
        looked_at.append(name)
        return value(labels, name)

    monkeypatch.setattr(Labels, "value", noting)
    assert index.find(Labels({"cluster": "us", "x": "host-7"})) == set()
    assert len(looked_at) < 50
    assert len(index.find(Labels({"cluster": "eu", "x": "host-7"}))) == 498
