"""Reads the configuration with its templates, and counts what becomes of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.alerting.config import AlertmanagerConfig
from tocsin.node.config import Notation, load_config
from tocsin.notify.template import Templates, load_templates


@dataclass(slots=True)
class TemplateStatistics:
    """Counts."""

    bounds_reached: Counter[str] = field(default_factory=Counter)
    """Renderings that were ended by a bound: steps, depth, output, value or time."""

    def reached(self, bound: str) -> None:
        """A rendering was ended."""
        self.bounds_reached[bound] += 1


class ConfigurationReader:
    """Reads the file at ``path``, as often as it is asked to."""

    def __init__(self, path: str | Path, notation: Notation) -> None:
        self.statistics = TemplateStatistics()
        self._path = path
        self._notation = notation

    def read(self) -> tuple[AlertmanagerConfig, Templates]:
        """The configuration, and the templates that it names.

        :class:`~tocsin.errors.ConfigError` when one of the files cannot be read or used.
        """
        config = load_config(self._path, self._notation)
        return config, load_templates(config.templates, on_bound=self.statistics.reached)
