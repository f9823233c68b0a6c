"""Matchers in the configuration file: the old maps (``match``, ``match_re``) and the new lists."""

from __future__ import annotations

from collections.abc import Iterable

from tocsin.alerting.labels import valid_classic_name
from tocsin.alerting.matcher import Matcher, MatchType, parse_matchers, sort_matchers
from tocsin.alerting.quote import go_quote
from tocsin.config.matchersyntax import MatcherSyntax
from tocsin.config.readers import list_of, text
from tocsin.config.schema import Section
from tocsin.config.yaml import Mapping, Mark, Node, Scalar, describe, gathered

DEFAULT = MatcherSyntax()


class MatcherLines(tuple[Matcher, ...]):
    """The matchers of all lines of ``matchers``, in Alertmanager's order."""

    __slots__ = ()

    def shown(self) -> list[str]:
        """As Alertmanager shows them."""
        return [str(matcher) for matcher in self]


def matcher_syntax_of(mark: Mark) -> MatcherSyntax:
    """How matchers and names of the file are to be read."""
    return mark.reading.matcher_syntax or DEFAULT


def matcher_lines(node: Node) -> MatcherLines:
    """A list of lines, each with one or more matchers."""
    matcher_syntax = matcher_syntax_of(node.mark)
    found: list[Matcher] = []
    for mark, line in list_of(lambda item: (item.mark, text(item)))(gathered(node)):
        try:
            found += parse_matchers(line, origin="config", warn=matcher_syntax.warn, mode=matcher_syntax.mode)
        except ValueError as error:
            raise mark.error(str(error), 'as in severity="page" or team=~"a|b"') from None
    return MatcherLines(sort_matchers(found))


def _old_form(node: Node, type_: MatchType) -> tuple[Matcher, ...]:
    node = gathered(node)
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
            raise value.mark.error(str(error), "fix the regular expression") from None
    return tuple(found)


def read_match(node: Node) -> tuple[Matcher, ...]:
    """``match: {label: value}``."""
    return _old_form(node, MatchType.EQUAL)


def read_match_re(node: Node) -> tuple[Matcher, ...]:
    """``match_re: {label: expression}``."""
    return _old_form(node, MatchType.REGEXP)


def anchored(matchers: tuple[Matcher, ...]) -> tuple[Matcher, ...]:
    """``match_re`` as in group keys, which peers compare: Alertmanager puts the anchors into the text."""
    return tuple(Matcher(each.type, each.name, f"^(?:{each.value})$") for each in matchers)


def show_old_form(matchers: tuple[Matcher, ...]) -> dict[str, str]:
    """As Alertmanager shows it: a map in the order of the names."""
    return {each.name: each.value for each in sort_matchers(matchers)}


def label_names(where: Section, name: str, names: Iterable[str]) -> None:
    """Refuse a list with an invalid label name."""
    matcher_syntax = matcher_syntax_of(where.mark)
    for each in names:
        if not matcher_syntax.valid_name(each):
            raise where.at(name).error(f"invalid label name {go_quote(each)} in {name} list", "fix the name")
