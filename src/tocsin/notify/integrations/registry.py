"""The kinds of receiver, each with its module: the only module that names them.

A kind has the same name in the file (``slack_configs``), in the metrics (``integration="slack"``), in the
notification log and in the API. Its module is loaded when a configuration uses it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from tocsin.dataclass import dataclass
from tocsin.notify.integrations.base import Kind


@dataclass(frozen=True, slots=True)
class Registered:
    """A kind of receiver of Alertmanager. ``module``: its module's name."""

    name: str
    module: str

    @property
    def key(self) -> str:
        """Its key in a receiver."""
        return f"{self.name}_configs"

    def load(self) -> Kind[Any]:
        """The module's ``KIND``."""
        kind: Kind[Any] = import_module(self.module).KIND
        if kind.config.kind != self.name:
            raise TypeError(f"{self.module} is of the kind {kind.config.kind!r}, not {self.name!r}")
        return kind


_HERE: Final = __name__.rpartition(".")[0]
KINDS: Final = (
    # In the order in which Alertmanager shows a receiver.
    Registered("discord", f"{_HERE}.discord"),
    Registered("email", f"{_HERE}.email"),
    Registered("incidentio", f"{_HERE}.incidentio"),
    Registered("pagerduty", f"{_HERE}.pagerduty"),
    Registered("slack", f"{_HERE}.slack"),
    Registered("webhook", f"{_HERE}.webhook"),
    Registered("opsgenie", f"{_HERE}.opsgenie"),
    Registered("wechat", f"{_HERE}.wechat"),
    Registered("pushover", f"{_HERE}.pushover"),
    Registered("victorops", f"{_HERE}.victorops"),
    Registered("sns", f"{_HERE}.sns"),
    Registered("telegram", f"{_HERE}.telegram"),
    Registered("webex", f"{_HERE}.webex"),
    Registered("msteams", f"{_HERE}.msteams"),
    Registered("msteamsv2", f"{_HERE}.msteamsv2"),
    Registered("jira", f"{_HERE}.jira"),
    Registered("rocketchat", f"{_HERE}.rocketchat"),
    Registered("mattermost", f"{_HERE}.mattermost"),
)
NAMES: Final = tuple(kind.name for kind in KINDS)
_BY_NAME: Final = {kind.name: kind for kind in KINDS}


def registered(name: str) -> Registered:
    """The kind of that name; ``KeyError``."""
    return _BY_NAME[name]
