"""The node's files and flags: strict, and one line of error that names the place and the mend."""

from tocsin.node.config.alertmanager import load_config, parse_config
from tocsin.node.config.matchers import Notation

__all__ = ["Notation", "load_config", "parse_config"]
