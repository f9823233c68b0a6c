"""Loads the configuration that the flags name, and makes the senders of the receivers in use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import field
from functools import partial

from tocsin.alerting.integration import integrations
from tocsin.config.matchersyntax import MatcherSyntax
from tocsin.dataclass import dataclass
from tocsin.node.clock import Clock
from tocsin.node.config.alertmanager import AlertmanagerConfig, load_config
from tocsin.node.config.flags import NodeFlags
from tocsin.node.config.receivers import ReceiverConfig
from tocsin.node.log import Logger
from tocsin.notify.integrations.sender import Sender, SenderKey, make_senders
from tocsin.notify.integrations.statistics import ClientStatistics
from tocsin.notify.rendering import TemplateFiles, TemplateRenderer


@dataclass(slots=True)
class TemplateStatistics:
    """Counts."""

    bounds_reached: Counter[str] = field(default_factory=Counter)
    """Renderings that were stopped by a bound: steps, depth, output, value or time."""

    def reached(self, bound: str) -> None:
        """A rendering was stopped by a bound."""
        self.bounds_reached[bound] += 1


def loader(flags: NodeFlags, log: Logger, statistics: TemplateStatistics) -> Callable[[], AlertmanagerConfig]:
    """A function that loads the file; it raises :class:`~tocsin.errors.ConfigError`."""
    matcher_syntax = MatcherSyntax(
        flags.matcher_mode, lambda w: log.warn(w.message, input=w.input, origin=w.origin)
    )
    return partial(
        load_config,
        flags.config_file,
        matcher_syntax,
        accept_unserved=flags.config_accept_unserved,
        on_bound=statistics.reached,
        pipes=False,
    )


def senders_of(
    config: AlertmanagerConfig, *, external_url: str, clock: Clock, clients: ClientStatistics | None = None
) -> dict[SenderKey, Sender]:
    """One for each integration of the receivers in use. :class:`~tocsin.errors.ConfigError` for files that
    cannot be used."""
    return senders_to(
        config.used_receivers, config.files, external_url=external_url, clock=clock, clients=clients
    )


def senders_to(
    receivers: Iterable[ReceiverConfig],
    files: TemplateFiles,
    *,
    external_url: str,
    clock: Clock,
    clients: ClientStatistics | None = None,
) -> dict[SenderKey, Sender]:
    """One for each integration of ``receivers``."""
    used = [
        ((each.receiver, each.integration, each.index), section)
        for receiver in receivers
        for each, section in zip(integrations(receiver), receiver.integrations, strict=True)
    ]
    renderer = TemplateRenderer(files, external_url)
    return make_senders(used, renderer=renderer, clock=clock, statistics=clients)
