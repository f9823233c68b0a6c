"""What a node is made of before anything runs: flags, configuration, and state that is not opened yet."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tocsin import ALERTMANAGER_VERSION, __version__
from tocsin.alerting.alerts import Alerts
from tocsin.alerting.limit import AlertNameLimit
from tocsin.dataclass import dataclass
from tocsin.node.clock import Clock
from tocsin.node.config.alertmanager import AlertmanagerConfig
from tocsin.node.config.flags import NodeFlags
from tocsin.node.configuration import TemplateStatistics, loader, senders_of
from tocsin.node.counts import Counts
from tocsin.node.eventrecorder.recording import make_recording
from tocsin.node.log import Logger
from tocsin.node.metrics import Metrics
from tocsin.node.state import State, make_state
from tocsin.node.tracing.tracing import Tracing, make_tracing
from tocsin.node.web import external_url_of
from tocsin.notify.integrations.sender import Sender, SenderKey


@dataclass(frozen=True, slots=True)
class Prepared:
    """Made by :func:`prepare`, for one node."""

    flags: NodeFlags
    clock: Clock
    counts: Counts
    metrics: Metrics
    templates: TemplateStatistics
    alerts: Alerts
    state: State
    recording: Tracing
    load: Callable[[], AlertmanagerConfig]
    """Reads the configuration file, and makes what traces by it."""
    make_senders: Callable[[AlertmanagerConfig], dict[SenderKey, Sender]]
    config: AlertmanagerConfig


def prepare(flags: NodeFlags) -> Prepared:
    """Load the configuration; :class:`~tocsin.errors.TocsinError` for what cannot be used."""
    clock, counts, templates = Clock(), Counts(), TemplateStatistics()
    load = loader(flags, Logger("tocsin.node"), templates)
    config, state = load(), make_state(flags, clock)
    recording = make_tracing(
        flags, make_recording(flags, config.event_recorder, state.silences, clock, counts.clients)
    )
    recording.check(config.tracing)

    def load_checked() -> AlertmanagerConfig:
        found = load()
        recording.check(found.tracing)
        return found

    return Prepared(
        flags=flags,
        clock=clock,
        counts=counts,
        metrics=Metrics(
            version=__version__, alertmanager_version=ALERTMANAGER_VERSION, features=flags.enable_feature
        ),
        templates=templates,
        alerts=Alerts(AlertNameLimit(flags.alerts_per_alertname_limit), recording.created),
        state=state,
        recording=recording,
        load=load_checked,
        make_senders=partial(
            senders_of, external_url=external_url_of(flags), clock=clock, clients=counts.clients
        ),
        config=config,
    )
