"""The node's files and flags: strict, and one line of error that names the location and the fix."""

from tocsin.config.matchersyntax import MatcherSyntax
from tocsin.node.config.alertmanager import load_config, parse_config

__all__ = ["MatcherSyntax", "load_config", "parse_config"]
