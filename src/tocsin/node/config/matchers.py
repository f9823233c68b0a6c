"""Conditions on labels as the file writes them: the old maps (``match``, ``match_re``) and the new lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from tocsin.alerting.labels import valid_classic_name, valid_name
from tocsin.alerting.matcher import (
    Matcher,
    MatchType,
    ParserMode,
    ParseWarning,
    parse_matchers,
    sort_matchers,
)
from tocsin.alerting.quote import go_quote
from tocsin.node.config.schema import Section, describe, list_of, text
from tocsin.node.config.yaml import Mapping, Mark, Node, Scalar

WarningHook: TypeAlias = Callable[[ParseWarning], None]


@dataclass(frozen=True, slots=True)
class Notation:
    """How matchers and label names are to be read (``--enable-feature``) and who hears of doubtful ones."""

    mode: ParserMode = ParserMode.FALLBACK
    warn: WarningHook | None = None

    def valid_name(self, name: str) -> bool:
        """Whether a label may have the name."""
        return valid_classic_name(name) if self.mode is ParserMode.CLASSIC else valid_name(name)


@dataclass(slots=True)
class MatcherList:
    """``matchers``: one or more matchers a line. :meth:`parse` fills ``matchers``."""

    lines: tuple[tuple[Mark, str], ...]
    matchers: tuple[Matcher, ...] = field(default=())

    def parse(self, notation: Notation) -> tuple[Matcher, ...]:
        """All lines' matchers, sorted as Alertmanager does."""
        found: list[Matcher] = []
        for mark, line in self.lines:
            try:
                found += parse_matchers(line, origin="config", warn=notation.warn, mode=notation.mode)
            except ValueError as error:
                raise mark.error(str(error), 'as in severity="page" or team=~"a|b"') from None
        self.matchers = sort_matchers(found)
        return self.matchers

    @staticmethod
    def shown(found: MatcherList | None) -> list[str]:
        """As Alertmanager shows it; after :meth:`parse`."""
        return [str(matcher) for matcher in found.matchers] if found is not None else []


def matcher_list(node: Node) -> MatcherList | None:
    """A list of lines."""
    lines = list_of(lambda item: (item.mark, text(item)))(node)
    return MatcherList(lines) if lines else None


def _old_form(node: Node, type_: MatchType) -> tuple[Matcher, ...]:
    if not isinstance(node, Mapping):
        raise node.mark.error(f"expected a map, found {describe(node)}", "as in severity: page")
    found = []
    for name, (written, value) in node.entries.items():
        if not valid_classic_name(name):
            raise written.mark.error(
                f"invalid label name {go_quote(name)}", "use matchers: for other than letters, digits and _"
            )
        if type_ is MatchType.REGEXP and isinstance(value, Scalar) and value.is_null:
            raise value.mark.error(
                f"invalid regexp value for {go_quote(name)}", "give the expression in quotes"
            )
        try:
            found.append(Matcher(type_, name, text(value)))
        except ValueError as error:
            raise value.mark.error(str(error), "mend the regular expression") from None
    return tuple(found)


def read_match(node: Node) -> tuple[Matcher, ...]:
    """``match: {label: value}``."""
    return _old_form(node, MatchType.EQUAL)


def read_match_re(node: Node) -> tuple[Matcher, ...]:
    """``match_re: {label: expression}``."""
    return _old_form(node, MatchType.REGEXP)


def anchored(matchers: tuple[Matcher, ...]) -> tuple[Matcher, ...]:
    """``match_re`` as it stands in group keys, which peers compare: Alertmanager anchors it in the text."""
    return tuple(Matcher(each.type, each.name, f"^(?:{each.value})$") for each in matchers)


def show_old_form(matchers: tuple[Matcher, ...]) -> dict[str, str]:
    """As Alertmanager shows it: a map in the order of the names."""
    return {each.name: each.value for each in sort_matchers(matchers)}


def label_names(where: Section, name: str, names: tuple[str, ...], notation: Notation) -> None:
    """Refuse a list with an invalid label name."""
    for each in names:
        if not notation.valid_name(each):
            raise where.at(name).error(f"invalid label name {go_quote(each)} in {name} list", "mend the name")
