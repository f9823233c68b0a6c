"""``receivers`` of the file. The registry lists the kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

from tocsin.alerting.quote import go_quote
from tocsin.config.readers import list_of, map_of, text
from tocsin.config.schema import Section, option
from tocsin.config.yaml import Node, Scalar
from tocsin.notify.integrations.base import IntegrationConfig
from tocsin.notify.integrations.registry import KINDS, Registered


class ReceiverConfig(Section):
    """One of ``receivers``. An integration's index counts within its own kind, in the order of the file."""

    name: str = option(text, default="", always=True)
    labels: dict[str, str] = option(map_of(text), default={})

    def check(self) -> None:
        """It has a name, which is a label too."""
        if not self.name:
            raise self.mark.error("missing name in receiver", "add name:")
        label = self.labels.get("name", self.name)
        if label != self.name:
            raise self.at("labels").error(
                f'receiver label "name" must match receiver name {go_quote(self.name)}, got {go_quote(label)}'
            )
        self.amend(labels={**self.labels, "name": self.name})

    @property
    def integrations(self) -> tuple[IntegrationConfig, ...]:
        """The integrations of all kinds, in the registry's order."""
        return tuple(each for kind in KINDS for each in self[kind.key])

    @classmethod
    def read(cls, node: Node) -> Self:
        """The receiver. A null in the list is a receiver without a name, which Go does not check."""
        if not isinstance(node, Scalar) or not node.is_null:
            return super().read(node)
        made = cls()
        made.__dict__["_mark"] = node.mark
        return made

    @classmethod
    def of(
        cls,
        name: str,
        integrations: Sequence[IntegrationConfig] = (),
        labels: Mapping[str, str] = MappingProxyType({}),
    ) -> ReceiverConfig:
        """A receiver that is not from a file."""
        made = cls(name=name, labels=dict(labels))
        made.amend(
            **{kind.key: tuple(each for each in integrations if each.kind == kind.name) for kind in KINDS}
        )
        return made


def _reader(kind: Registered) -> Any:
    """A reader of the list of one kind; the module is loaded when there is a list to read."""
    return lambda node: list_of(kind.load().config.read)(node)


for _kind in KINDS:
    ReceiverConfig.extend(_kind.key, _reader(_kind), default=())
