"""A condition on the value of one label."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from typing import Final

import msgspec
from msgspec.structs import force_setattr

from tocsin.alerting import regex
from tocsin.alerting.quote import go_quote
from tocsin.alerting.regex import Regex


class MatchType(IntEnum):
    """How a value is compared; the numbers are those on the wire (wire 4.1)."""

    EQUAL = 0
    REGEXP = 1
    NOT_EQUAL = 2
    NOT_REGEXP = 3

    @property
    def operator(self) -> str:
        """``=``, ``=~``, ``!=`` or ``!~``."""
        return _OPERATORS[self]

    @property
    def is_equal(self) -> bool:
        """The API's ``isEqual``: not a negation."""
        return self is MatchType.EQUAL or self is MatchType.REGEXP

    @property
    def is_regex(self) -> bool:
        """The API's ``isRegex``."""
        return self is MatchType.REGEXP or self is MatchType.NOT_REGEXP

    @classmethod
    def of(cls, *, is_regex: bool, is_equal: bool) -> MatchType:
        """The type that the API's two flags name."""
        if is_regex:
            return cls.REGEXP if is_equal else cls.NOT_REGEXP
        return cls.EQUAL if is_equal else cls.NOT_EQUAL


_OPERATORS: Final = {
    MatchType.EQUAL: "=",
    MatchType.REGEXP: "=~",
    MatchType.NOT_EQUAL: "!=",
    MatchType.NOT_REGEXP: "!~",
}
# Alertmanager sorts by its own numbering, which is not the wire's.
_SORT_ORDER: Final = {
    MatchType.EQUAL: 0,
    MatchType.NOT_EQUAL: 1,
    MatchType.REGEXP: 2,
    MatchType.NOT_REGEXP: 3,
}

# unicode.IsSpace of Go; str.isspace differs (it has U+001C to U+001F)
SPACES: Final = "".join(
    map(
        chr,
        (
            *range(9, 14),
            0x20,
            0x85,
            0xA0,
            0x1680,
            *range(0x2000, 0x200B),
            0x2028,
            0x2029,
            0x202F,
            0x205F,
            0x3000,
        ),
    )
)
RESERVED: Final = frozenset(SPACES + "{}!=~,\\\"'`")

_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})


class Matcher(msgspec.Struct, frozen=True, eq=False, gc=False, weakref=False):
    """``name operator "value"``. An absent label counts as one with the value ``""``.

    Raises ValueError, worded as Go, when made with a pattern that does not compile.
    """

    type: MatchType
    name: str
    value: str
    matches: Callable[[str], bool] = str.__eq__  # type: ignore[assignment]  # never called
    """Whether a label value fulfils the condition. Not given: it follows from the three above."""
    regex: Regex | None = None
    """The pattern, if the type has one; not given either."""

    def __post_init__(self) -> None:
        type_, value = self.type, self.value
        if type_ is MatchType.EQUAL:
            force_setattr(self, "matches", value.__eq__)
            return
        if type_ is MatchType.NOT_EQUAL:
            force_setattr(self, "matches", value.__ne__)
            return
        if type_ is not MatchType.REGEXP and type_ is not MatchType.NOT_REGEXP:
            raise ValueError(f"unknown matcher type {type_}")
        pattern = regex.compile(value)
        force_setattr(self, "matches", pattern.match if type_ is MatchType.REGEXP else pattern.excludes)
        force_setattr(self, "regex", pattern)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Matcher):
            return NotImplemented
        return self is other or (
            self.type == other.type and self.name == other.name and self.value == other.value
        )

    def __ne__(self, other: object) -> bool:  # msgspec's own knows nothing of __eq__.
        return not self == other

    def __hash__(self) -> int:
        return hash((self.type, self.name, self.value))

    def __repr__(self) -> str:
        return f"Matcher({self.type!r}, {self.name!r}, {self.value!r})"

    def matches_labels(self, labels: Mapping[str, str]) -> bool:
        """Whether the label set fulfils the condition."""
        return self.matches(labels.get(self.name, ""))

    def __str__(self) -> str:
        """``name="value"`` as Alertmanager prints it; the name is quoted only where it has to be."""
        return matcher_text(self.type, self.name, self.value)


def matcher_text(type_: MatchType, name: str, value: str) -> str:
    """``name="value"``, as a :class:`Matcher` of these is printed, without making one."""
    operator = _OPERATORS[type_]
    if not RESERVED.isdisjoint(name):
        return f"{go_quote(name)}{operator}{go_quote(value)}"
    return f'{name}{operator}"{value.translate(_ESCAPES)}"'


def matches_all(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether the label set fulfils every condition (an empty set of conditions is fulfilled)."""
    get = labels.get
    for matcher in matchers:  # noqa: SIM110 - a generator would take twice the time
        if not matcher.matches(get(matcher.name, "")):
            return False
    return True


def sort_matchers(matchers: Iterable[Matcher]) -> tuple[Matcher, ...]:
    """In Alertmanager's order: by name, value, then ``=``, ``!=``, ``=~``, ``!~``."""
    return tuple(
        sorted(matchers, key=lambda matcher: (matcher.name, matcher.value, _SORT_ORDER[matcher.type]))
    )


def format_matchers(matchers: Iterable[Matcher]) -> str:
    """``{a="x",b!="y"}``: comma without space, as within route keys (wire 4.6)."""
    return "{" + ",".join(map(str, matchers)) + "}"
