"""Shared by commands on the routing tree: loading and drawing it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from tocsin.alerting.matcher import format_matchers
from tocsin.cli.asking import ask
from tocsin.cli.matching import parser_mode

if TYPE_CHECKING:
    from tocsin.alerting.route import Route
    from tocsin.cli.commandline.invocation import Invocation
    from tocsin.node.config.alertmanager import AlertmanagerConfig


class Branch(NamedTuple):
    """A line of a tree, with what is below it."""

    text: str
    below: Sequence[Branch]


def load_route(invocation: Invocation) -> Route:
    """The tree of ``--config.file``, or else of the node."""
    return load_configuration(invocation, invocation.text("config.file")).route


def load_configuration(invocation: Invocation, file: str) -> AlertmanagerConfig:
    """The configuration in ``file`` or, where that is empty, of the node, whose secrets are masked."""
    from tocsin.config.matchersyntax import MatcherSyntax
    from tocsin.node.config import load_config, parse_config

    matcher_syntax = MatcherSyntax(parser_mode(invocation))
    if file:
        if invocation.program.as_amtool and invocation.given("alertmanager.url"):
            print("Warning: --config.file flag overrides the --alertmanager.url.", file=sys.stderr)
        return load_config(file, matcher_syntax, accept_unserved=True)
    status = ask(invocation).status()
    return parse_config(
        status["config"]["original"],
        path=invocation.text("alertmanager.url"),
        matcher_syntax=matcher_syntax,
        accept_unserved=True,
    )


def route_text(route: Route, *, show_continue: bool, show_receiver: bool) -> str:
    """One route in one line."""
    parts = [format_matchers(route.matchers) if route.matchers else "default-route"]
    if route.continue_ and show_continue:
        parts.append("continue: true")
    if show_receiver:
        parts.append(f"receiver: {route.options.receiver}")
    return "  ".join(parts)


def tree(branch: Branch) -> str:
    """Drawn with lines; a dot stands above it."""
    lines = ["."]
    _draw([branch], "", lines)
    return "\n".join([*lines, ""])


def _draw(branches: Sequence[Branch], before: str, lines: list[str]) -> None:
    for place, branch in enumerate(branches, 1):
        last = place == len(branches)
        lines.append(f"{before}{'└── ' if last else '├── '}{branch.text}")
        _draw(branch.below, before + ("    " if last else "│   "), lines)
