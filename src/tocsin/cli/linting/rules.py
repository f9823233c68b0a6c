"""All rules. A new one is a function of a configuration, and a line here and in docs/tocsinctl.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tocsin.cli.linting import rest, routes
from tocsin.cli.linting.findings import Context, Finding, Rule
from tocsin.node.config.alertmanager import AlertmanagerConfig

RULES: Final[tuple[Rule, ...]] = (
    routes.unreachable,
    routes.contradictory,
    routes.notified_twice,
    routes.continue_without_effect,
    routes.matches_everything,
    routes.plain_expression,
    routes.one_group,
    routes.intervals,
    rest.inhibition_without_equal,
    rest.inhibition_of_everything,
    rest.inhibition_of_itself,
    rest.unused,
    rest.empty_interval,
    rest.receiver_without_integrations,
    rest.templates_without_files,
    rest.old_keys,
)

NAMES: Final = (
    "continue-without-effect",
    "contradictory-route",
    "empty-time-interval",
    "inhibition-of-everything",
    "inhibition-of-itself",
    "inhibition-without-equal",
    "matches-everything",
    "no-grouping",
    "no-template-files",
    "no-time-to-deduplicate",
    "old-key",
    "one-group",
    "plain-expression",
    "repeat-below-group",
    "repeat-no-multiple",
    "repeat-past-retention",
    "silent-receiver",
    "notified-twice",
    "unreachable-route",
    "unused-receiver",
    "unused-time-interval",
)
"""The names of the rules."""


def lint(config: AlertmanagerConfig, context: Context) -> Iterator[Finding]:
    """The findings of all rules."""
    for rule in RULES:
        yield from rule(config, context)
