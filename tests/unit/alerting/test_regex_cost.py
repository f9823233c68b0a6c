"""What a pattern may cost is known before it is compiled, and is never less than what RE2 makes of it."""

from __future__ import annotations

from itertools import permutations

import pytest
import re2
from hypothesis import given

from tests.support.patterns import patterns
from tocsin.alerting.regex_cost import MAX_SIZE, MAX_WORK, TEXT, Cost, PatternCostError, cost_of

HOSTS = [f"host{number}.example.com" for number in range(1500)]


def _size(pattern: str) -> int:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = 256 << 20
    try:
        return int(re2.compile(pattern.encode(), options).programsize)
    except re2.error:
        return 0
    finally:
        re2.purge()


@given(patterns())
def test_no_program_is_larger_than_it_was_weighed(pattern: str) -> None:
    try:
        cost = cost_of(pattern)
    except PatternCostError:
        return
    assert _size(pattern) <= cost.size
    assert cost.work <= TEXT * cost.size


CLASSES = (
    r"\pL \PL \pM \pN \pC \PN \p{Lu} \P{Lu} \p{Greek} \P{Han} "
    r"\w \W \d \D \s \S \b \B . [^a] [^\pL\pN] [[:^alpha:]]"
)


@pytest.mark.parametrize("flag", ["", "(?i)", "(?s)", "(?i:"])
@pytest.mark.parametrize(
    "part", [*CLASSES.split(), r"[\x{80}-\x{10FFFF}]", "[\u0100-\uffff]", "é", "k", r"\x{212a}"]
)
def test_each_class_has_room(part: str, flag: str) -> None:
    pattern = f"{flag}{part}{{3}}" + (")" if ":" in flag else "")
    assert 0 < _size(pattern) <= cost_of(pattern).size


@pytest.mark.parametrize(
    "pattern",
    [
        "|".join(HOSTS),
        "|".join(f"{host}:9100" for host in HOSTS),
        "|".join(host.replace(".", "\\.") for host in HOSTS),
        "|".join(f"host{number}.*" for number in range(1500)),
        "(" + "|".join(HOSTS) + ")(:[0-9]+)?",
        "(?:" + "|".join(HOSTS) + "):[0-9]{2,5}",
        ".*(" + "|".join(f"host{number}" for number in range(1000)) + ").*",
        "|".join(f"10.{number // 256}.{number % 256}.17:9100" for number in range(2500)),
        "(?i)" + "|".join(f"host{number}.example.com" for number in range(300)),
        r"(web|db|cache)-[0-9]+\.(eu|us)-[a-z]+-[0-9]\.example\.com(:[0-9]+)?",
        r"[\pL\d ._-]+",
        ".{1,200}",
    ],
    ids=lambda pattern: pattern[:24],
)
def test_what_people_write_is_taken(pattern: str) -> None:
    cost_of(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"\pL{300}",
        r"\pL" * 20_000,
        r"[\pL\pN\pP]" * 5000,
        r"(\pL|" * 900 + ")" * 900,
        "(?i)" + "k" * 60_000,
        "a" * (64 * 1024 + 1),
        "é" * 40_000,
        "a?" * 30_000,
        "((a{0,30}){0,30})*" * 40,
        ".*" * 2000,
        "[a]" * 20_000,
        "(" * 60_000,
        "|".join([".*a.*b.*c"] * 2000),
    ],
    ids=lambda pattern: f"{pattern[:24]}, {len(pattern)}",
)
def test_what_costs_too_much_is_refused(pattern: str) -> None:
    with pytest.raises(PatternCostError):
        cost_of(pattern)


@pytest.mark.parametrize("part", ["[a", "[[:", "[^\\", "{1", "\\x{", "\\p{", "(?P<", "\\Q", "(?", "\\"])
def test_what_is_never_closed_is_read_once(part: str) -> None:
    try:
        cost_of(part * 20_000)
    except PatternCostError:
        return


def test_a_mistake_ends_the_reading_as_it_ends_the_engines() -> None:
    assert cost_of("(((a{100}){100}){100})").size < 10_000
    assert cost_of("*" + "\\pL" * 10_000).size < 10_000


def test_names_of_which_one_begins_the_other_count_together() -> None:
    """All of a list may begin alike: those that can be tried at one time are added up, not the others."""
    loops = [f"{name}.*" for name in ("a", "ab", "abc", "b", "bc", "c")]
    expected = cost_of("|".join(loops)).work
    alone = cost_of("a.*").work
    assert 3 * (alone - 10) < expected < 4 * alone
    assert {cost_of("|".join(order)).work for order in permutations(loops)} == {expected}


def test_the_bounds_together() -> None:
    assert cost_of("a") == Cost(5, 5)
    assert MAX_WORK // TEXT < MAX_SIZE  # what is tried everywhere may be less than what is tried once
