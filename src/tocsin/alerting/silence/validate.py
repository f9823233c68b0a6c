"""What makes a silence acceptable: the same rules for one from the API, a peer or a file.

Alertmanager checks only what comes from its API, so that one bad silence from the cluster can switch off all
the others or mute everything (wire 4.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from tocsin.alerting import regex
from tocsin.alerting.labels import valid_name, valid_text
from tocsin.alerting.matcher import Matcher, MatchType, ParserMode
from tocsin.alerting.quote import go_quote
from tocsin.alerting.silence.silence import MatcherSet
from tocsin.alerting.steps import Steps, finish
from tocsin.alerting.timestamp import ZERO, Nanoseconds
from tocsin.errors import ValidationError

MAX_MATCHERS: Final = 1024
"""In one silence: people write fewer than ten."""
MAX_ANNOTATIONS: Final = 1024
"""Of one silence, as of an alert by default (``--alerts.max-labels``)."""
MAX_SHOWN: Final = 1024
"""Characters of a pattern that an error shows."""
_EQUAL: Final = int(MatchType.EQUAL)
_NOT_EQUAL: Final = int(MatchType.NOT_EQUAL)
_SHARED_CHARACTERS: Final = 256
"""Of name and value, up to which a matcher is shared: what is longer is nobody else's."""
_TYPES: Final = {int(match_type): match_type for match_type in MatchType}
PATTERNS: Final = frozenset(int(match_type) for match_type in MatchType if match_type.is_regex)
"""The numbers of those types whose value is a regular expression."""


def _cheap_problem(number: int, name: str, value: str, mode: ParserMode) -> str:
    if not mode.valid_name(name):
        return f"invalid label name {go_quote(name)}"
    if number not in _TYPES:
        return f'unknown matcher type "{number}"'
    if number not in PATTERNS and not valid_text(value):
        return f"invalid label value {go_quote(value)}"
    return ""


def _make_pattern(number: int, name: str, value: str) -> Matcher:
    try:
        return Matcher(_TYPES[number], name, value)
    except ValueError as error:
        problem = str(error)
        if not isinstance(error, regex.TooLargeError):
            problem = regex.problem(value) or problem
        shown = value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}..."
        raise ValueError(f"invalid regular expression {go_quote(shown)}: {problem}") from None


def _matches_empty(matcher: Matcher) -> bool:
    # Negative matchers do not count as matching the empty string here, though they do.
    if matcher.regex is not None:
        return matcher.type is MatchType.REGEXP and matcher.regex.matches_empty
    return matcher.type.is_equal and matcher.matches("")


@lru_cache(maxsize=4096)  # Silences share many: one object, and its texts, for all of them.
def _shared(match_type: MatchType, name: str, value: str) -> Matcher:
    return Matcher(match_type, name, value)


def plain_matchers(triples: Sequence[tuple[int, str, str]]) -> MatcherSet | None:
    """The matchers of one set without patterns; None if there is one, or anything is wrong.

    What :func:`making_matcher_sets` makes of it, in a fraction of the time: most silences are like this.
    """
    if len(triples) > MAX_MATCHERS:
        return None
    made: list[Matcher] = []
    selective = False
    for number, name, value in triples:
        if number == _EQUAL:
            match_type = MatchType.EQUAL
            selective = selective or value != ""
        elif number == _NOT_EQUAL:
            match_type = MatchType.NOT_EQUAL
            selective = True
        else:
            return None
        if not name or not valid_text(name) or not valid_text(value):
            return None
        short = len(name) + len(value) <= _SHARED_CHARACTERS
        made.append(_shared(match_type, name, value) if short else Matcher(match_type, name, value))
    return tuple(made) if selective else None


def make_matcher_sets(
    sets: Iterable[Iterable[tuple[int, str, str]]], mode: ParserMode = ParserMode.FALLBACK
) -> tuple[MatcherSet, ...]:
    """:func:`making_matcher_sets` at once."""
    return finish(making_matcher_sets(sets, mode))


def making_matcher_sets(
    sets: Iterable[Iterable[tuple[int, str, str]]],
    mode: ParserMode = ParserMode.FALLBACK,
    room: regex.Cost | None = None,
) -> Steps[tuple[MatcherSet, ...]]:
    """The matcher sets for ``(type, name, value)`` triples, with every rule applied; a step for each pattern.

    ``mode`` says which names labels may have; what peers and files hold is read in the widest. ``room``: no
    pattern may cost more.

    Raises ValidationError with Alertmanager's message (without its ``invalid silence: ``).
    """
    listed = [list(triples) for triples in sets]
    # What costs nothing first: of sixty patterns none is read if the last matcher has no name.
    for number, triples in enumerate(listed):
        for position, triple in enumerate(triples):
            problem = _cheap_problem(*triple, mode)
            if problem:
                raise ValidationError(f"invalid label matcher {position} in set {number}: {problem}")
    if sum(map(len, listed)) > MAX_MATCHERS:
        raise ValidationError(f"{sum(map(len, listed))} matchers, the limit is {MAX_MATCHERS}")
    result: list[MatcherSet] = []
    trusted, purse = regex.trusted(), regex.Purse()
    for number, triples in enumerate(listed):
        matchers: list[Matcher] = []
        for position, (match_type, name, value) in enumerate(triples):
            if match_type not in PATTERNS:
                matchers.append(Matcher(_TYPES[match_type], name, value))
                continue
            try:
                with regex.spending(purse), regex.room_for(room):
                    matchers.append(_make_pattern(match_type, name, value))
            except ValueError as error:
                message = f"invalid label matcher {position} in set {number}: {error}"
                raise ValidationError(message) from None
            yield
        if not trusted:
            _check_set(number, matchers)
        result.append(tuple(matchers))
    if not result:
        raise ValidationError("at least one matcher set required")
    return tuple(result)


def check_matcher_sets(sets: Sequence[MatcherSet]) -> None:
    """The same rules for matchers that are made already; names and sets only, their patterns did compile."""
    if not sets:
        raise ValidationError("at least one matcher set required")
    for number, matchers in enumerate(sets):
        for position, matcher in enumerate(matchers):
            problem = ""
            if not valid_name(matcher.name):
                problem = f"invalid label name {go_quote(matcher.name)}"
            elif not valid_text(matcher.value):
                problem = f"invalid label value {go_quote(matcher.value)}"
            if problem:
                raise ValidationError(f"invalid label matcher {position} in set {number}: {problem}")
        _check_set(number, matchers)


def _check_set(number: int, matchers: Sequence[Matcher]) -> None:
    if not matchers:
        raise ValidationError(f"matcher set {number} is empty")
    if all(map(_matches_empty, matchers)):
        raise ValidationError(f"matcher set {number}: at least one matcher must not match the empty string")


def check_times(starts_at: Nanoseconds, ends_at: Nanoseconds) -> None:
    """Raise ValidationError unless both are set and in order."""
    if starts_at == ZERO:
        raise ValidationError("invalid zero start timestamp")
    if ends_at == ZERO:
        raise ValidationError("invalid zero end timestamp")
    if ends_at < starts_at:
        raise ValidationError("end time must not be before start time")


def check_annotations(count: int) -> None:
    """Raise ValidationError for more than there may be: each takes far more memory than on the wire."""
    if count > MAX_ANNOTATIONS:
        raise ValidationError(f"{count} annotations, the limit is {MAX_ANNOTATIONS}")
