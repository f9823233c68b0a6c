"""The node's files and flags: strict, and one line of error that names the location and the fix."""

from tocsin.config.notation import Notation
from tocsin.node.config.alertmanager import load_config, parse_config

__all__ = ["Notation", "load_config", "parse_config"]
