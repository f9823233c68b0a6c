"""Which of many lists of matchers labels fulfil: what trying each of them says."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tocsin.alerting import fulfilled
from tocsin.alerting.fulfilled import Fulfilled
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import matches_all, parse_matchers

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.sampled_from(["", "x", "y", "xy"])
MATCHERS = st.lists(
    st.builds("{}{}{}".format, NAMES, st.sampled_from(["=", "!=", "=~", "!~"]), VALUES.map('"{}"'.format)),
    max_size=3,
)
LABELS = st.dictionaries(NAMES, st.sampled_from(["x", "y", "xy"])).map(Labels)


@settings(max_examples=many(200))
@given(st.lists(MATCHERS, max_size=6), st.lists(LABELS, max_size=8))
def test_it_says_what_trying_each_list_says(texts: list[list[str]], asked: list[Labels]) -> None:
    lists = [[each for text in some for each in parse_matchers(text)] for some in texts]
    every = Fulfilled(lists)
    for labels in asked + asked:
        expected = [number for number, matchers in enumerate(lists) if matches_all(matchers, labels)]
        assert list(every.numbers(labels)) == expected


def test_what_is_remembered_is_bounded_in_number_and_size() -> None:
    every = Fulfilled([parse_matchers('a="x"'), parse_matchers('b="y"')])
    for number in range(fulfilled.MAX_REMEMBERED + 10):
        assert list(every.numbers(Labels({"a": str(number), "b": "y"}))) == [1]
    assert len(every._remembered) == fulfilled.MAX_REMEMBERED
    long = Labels({"a": "x" * (fulfilled.MAX_CHARACTERS + 1), "b": "y" * (fulfilled.MAX_CHARACTERS + 1)})
    assert list(every.numbers(long)) == []
    assert all(len(value) <= fulfilled.MAX_CHARACTERS for _, values in every._remembered for value in values)
