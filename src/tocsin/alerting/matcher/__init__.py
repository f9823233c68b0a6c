"""Matchers: conditions on one label, and their text forms."""

from tocsin.alerting.matcher.matcher import (
    Matcher,
    MatchType,
    format_matchers,
    matcher_text,
    matches_all,
    sort_matchers,
)
from tocsin.alerting.matcher.parse import (
    ParserMode,
    ParseWarning,
    parse_matcher,
    parse_matchers,
)

__all__ = [
    "MatchType",
    "Matcher",
    "ParseWarning",
    "ParserMode",
    "format_matchers",
    "matcher_text",
    "matches_all",
    "parse_matcher",
    "parse_matchers",
    "sort_matchers",
]
