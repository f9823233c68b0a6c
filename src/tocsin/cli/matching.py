"""Labels and matchers as people write them on the command line, by amtool's rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tocsin.alerting.quote import go_quote
from tocsin.cli.commandline.run import CommandError
from tocsin.config.features import FEATURES

if TYPE_CHECKING:
    from tocsin.alerting.matcher import Matcher, ParserMode, ParseWarning
    from tocsin.cli.commandline.invocation import Invocation


def parser_mode(invocation: Invocation) -> ParserMode:
    """The matcher syntax that ``--enable-feature`` selects."""
    from tocsin.alerting.matcher import ParserMode

    check_features(invocation)
    features = invocation.text("enable-feature").split(",")
    if ParserMode.CLASSIC.value in features:
        return ParserMode.CLASSIC
    return ParserMode.UTF8_STRICT if ParserMode.UTF8_STRICT.value in features else ParserMode.FALLBACK


def check_features(invocation: Invocation) -> None:
    """:class:`CommandError` for an unknown feature. Only those about matchers have an effect here."""
    features = invocation.text("enable-feature")
    for feature in features.split(",") if features else ():
        if feature not in FEATURES:
            raise CommandError(
                f"error parsing the feature flag list: unknown option '{feature}' for --enable-feature"
            )
    if {"classic-mode", "utf8-strict-mode"} <= set(features.split(",")):
        raise CommandError(
            "error parsing the feature flag list: cannot have both classic and UTF-8 modes enabled"
        )


class Words:
    """Parses matchers, and warns of those that should be written differently."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self._mode = parser_mode(invocation)
        self._told: set[str] = set()

    def matcher(self, text: str) -> Matcher:
        """Parse one matcher. :class:`CommandError` with Alertmanager's message."""
        from tocsin.alerting.matcher import parse_matcher

        try:
            return parse_matcher(text, origin="cli", warn=self._warn, mode=self._mode)
        except ValueError as error:
            raise CommandError(str(error)) from None

    def with_name(self, words: Sequence[str]) -> list[str]:
        """``words``, of which the first may be the value of ``alertname`` alone."""
        if not words:
            return []
        try:
            self.matcher(words[0])
        except CommandError:
            return [f"alertname={go_quote(words[0])}", *words[1:]]
        return list(words)

    def label_set(self, words: Sequence[str], what: str) -> dict[str, str]:
        """``words`` as ``NAME=VALUE``. ``what`` they are, for the error."""
        from tocsin.alerting.matcher import MatchType

        found: dict[str, str] = {}
        for word in words:
            matcher = self.matcher(word)
            if matcher.type is not MatchType.EQUAL:
                raise CommandError(f"{what} must be specified as key=value pairs")
            found[matcher.name] = matcher.value
        return found

    def _warn(self, warning: ParseWarning) -> None:
        # amtool logs it to standard output, where it breaks programs that read the rest.
        if warning.input not in self._told:
            self._told.add(warning.input)
            better = f"; write {warning.suggestion}" if warning.suggestion else ""
            self._invocation.warn(f"warning: {warning.input}: {warning.message}{better}")
