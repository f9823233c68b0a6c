"""Each of Tocsin's own metrics says what it counts, when to worry and where to look."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tocsin.alerting.intent.intents import IntentStatistics
from tocsin.alerting.remembered import RememberedCounts
from tocsin.alerting.shadow.model import ShadowStatistics
from tocsin.alerting.silence.state import PatternStatistics
from tocsin.gossip.core.statistics import Statistics
from tocsin.gossip.discovery.policy import DiscoveryStatistics
from tocsin.gossip.driver_statistics import DriverStatistics
from tocsin.gossip.transport.dtls.settings import DTLSStatistics
from tocsin.gossip.transport.mux.settings import MuxStatistics
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.node import observation, tocsinbackend, web
from tocsin.node.acknowledging import AcknowledgementStatistics
from tocsin.node.api.statistics import AnswerStatistics
from tocsin.node.cluster.antientropy import AntiEntropyStatistics
from tocsin.node.cluster.asking import AskingStatistics
from tocsin.node.cluster.identity_metrics import Waiting
from tocsin.node.cluster.inbox import InboxStatistics
from tocsin.node.cluster.keyring.service import KeyringStatistics
from tocsin.node.cluster.outbound import OutboundStatistics, QueueLengths
from tocsin.node.cluster.recommended import Recommended
from tocsin.node.cluster.replication import ReplicationStatistics
from tocsin.node.cluster.resyncs import ResyncStatistics
from tocsin.node.configuration import TemplateStatistics
from tocsin.node.eventrecorder import recorder
from tocsin.node.eventrecorder.outputs import Own
from tocsin.node.events.hub import EventStatistics
from tocsin.node.http.bounds import HTTPStatistics
from tocsin.node.http.security import WebConfigStatistics
from tocsin.node.log_bound import LogStatistics
from tocsin.node.lookups import LookUpStatistics
from tocsin.node.metrics.own import help_of, meanings
from tocsin.node.observation import Protection, Refusals, Wholeness
from tocsin.node.receivertests import ReceiverTestStatistics
from tocsin.node.store.changes import RelayStatistics
from tocsin.node.store.records import RecordStatistics
from tocsin.node.store.statistics import JournalStatistics
from tocsin.node.tracing import tracing
from tocsin.notify.integrations.statistics import ClientStatistics

STATISTICS: dict[str, type] = {
    "shadow": ShadowStatistics,
    "acknowledgements": AcknowledgementStatistics,
    "anti_entropy": AntiEntropyStatistics,
    "cluster": Refusals,
    "cluster_inbox": InboxStatistics,
    "cluster_log": LogStatistics,
    "cluster_recommended": Recommended,
    "cluster_transport": Protection,
    "discovery": DiscoveryStatistics,
    "event_recorder": Own,
    "events": EventStatistics,
    "explain": AskingStatistics,
    "gossip": Statistics,
    "gossip_driver": DriverStatistics,
    "gossip_newcomers": Waiting,
    "intent": IntentStatistics,
    "journal": JournalStatistics,
    "keyring": KeyringStatistics,
    "look_ups": LookUpStatistics,
    "patterns": PatternStatistics,
    "receiver_tests": ReceiverTestStatistics,
    "receivers": ClientStatistics,
    "record": RecordStatistics,
    "remembered": RememberedCounts,
    "replication": ReplicationStatistics,
    "replication_changes": OutboundStatistics,
    "replication_relays": RelayStatistics,
    "replication_queue": QueueLengths,
    "resyncs": ResyncStatistics,
    "template": TemplateStatistics,
    "tracing": tracing.Statistics,
    "transport": TransportStatistics,
    "web": HTTPStatistics,
    "web_answers": AnswerStatistics,
    "web_config": WebConfigStatistics,
}
"""By the prefix under which they are shown."""
PARTS = {"cluster": Wholeness, "transport_mux": MuxStatistics, "transport_dtls": DTLSStatistics}
NOT_SHOWN = {"tocsin_transport_mux"}
"""Fields that are no numbers."""


def shown() -> Iterator[str]:
    """The names without the ``_total`` of counters."""
    for prefix, kind in (*STATISTICS.items(), *PARTS.items()):
        for field in dataclasses.fields(kind):
            if (name := f"tocsin_{prefix}_{field.name}") not in NOT_SHOWN:
                yield name


def test_the_list_is_whole() -> None:
    sources = "".join(
        Path(str(module.__file__)).read_text()
        for module in (observation, tocsinbackend, web, recorder, tracing)
    )
    assert set(re.findall(r'watch_statistics\(\s*"(\w+)"', sources)) == set(STATISTICS)


@pytest.mark.parametrize("name", list(shown()))
def test_each_has_a_text(name: str) -> None:
    assert (name in meanings()) != (f"{name}_total" in meanings())


def test_each_text_is_of_a_metric() -> None:
    others = "".join(path.read_text() for path in Path(str(observation.__file__)).parent.rglob("*.py"))
    counted = set(shown()) | {f"{name}_total" for name in shown()}
    for name in set(meanings()) - counted:
        stem = name.removesuffix("_total")
        tls = stem.removeprefix("tocsin_tls_").removesuffix("_timestamp_seconds")
        assert stem in others or f'"{tls}"' in others, f"no metric has the text of {name}"


def test_a_help_text() -> None:
    assert help_of("tocsin_journal_failing") == (
        "1 while the disk does not take what is written; silences are refused meanwhile. "
        "Worry when it is 1. Hint: free space and rights of --storage.path."
    )
    assert help_of("tocsin_new_total") == "tocsin_new_total"


def test_a_help_text_names_other_metrics_in_full() -> None:
    assert "Hint: tocsin_journal_failing, the log" in help_of("tocsin_journal_commits_failed_total")
    assert "Hint: compare it with tocsin_gossip_probes_total." in help_of("tocsin_gossip_probes_acked_total")
