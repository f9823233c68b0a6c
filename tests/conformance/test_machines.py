"""Every state machine keeps one contract: :class:`tocsin.machine.Machine`."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

import pytest

from simulation.alerting import NoSilences
from tests.support import dtls
from tests.support.routing import T0, alert, one_receiver, one_route
from tocsin.alerting.content import DeliveryContext
from tocsin.alerting.decisions import Withheld
from tocsin.alerting.delivery import Delivery
from tocsin.alerting.dispatch import Dispatcher
from tocsin.alerting.flow import AlertFlow
from tocsin.alerting.group import Flush
from tocsin.alerting.grouping import Grouping
from tocsin.alerting.integration import Integration
from tocsin.alerting.intent import Intents
from tocsin.alerting.labels import Labels
from tocsin.alerting.muting import Muting
from tocsin.alerting.nflog import LogView, NotificationLog
from tocsin.alerting.pipeline import Pipeline
from tocsin.alerting.remembered import Remembered
from tocsin.alerting.shadow.shadow import Shadow
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.endpoint import Endpoint
from tocsin.gossip.core.parts import MembershipKind
from tocsin.gossip.discovery.policy import Discovery
from tocsin.gossip.discovery.sources import Name
from tocsin.gossip.transport.dtls.incoming import Incoming
from tocsin.gossip.transport.dtls.outgoing import Outgoing
from tocsin.machine import Machine
from tocsin.node.cluster.settle import Settle

HOUR: Final = 3600 * SECOND
ROUTE = one_route()
AT_ONE_MOMENT: Final = 64
"""How often a machine may be due again at once: it does much in several calls, and not for ever."""


def intents() -> Intents:
    """A place that is not the first: what it wants to send it claims."""
    made = Intents("b", now=T0)
    made.members(1, frozenset("a"), T0 - HOUR)
    made.claim(bytes(16), 1, T0 + 10 * SECOND, T0)
    return made


def dispatcher() -> Dispatcher:
    made = Dispatcher(ROUTE, now=T0)
    for number in range(300):
        made.insert(alert(alertname=f"A{number}"), T0)
    return made


def flush(key: str = "{}:{}") -> Flush:
    return Flush(
        group_key=key,
        route_id="{}",
        group_labels=Labels(),
        options=ROUTE.options,
        alerts=(alert(alertname="A"),),
        now=T0,
        deadline=T0 + 300 * SECOND,
    )


def delivery() -> Delivery:
    remembered = Remembered()
    muting = Muting(inhibitor=NoSilences(), silences=NoSilences(), time_intervals={})
    view = LogView(NotificationLog(HOUR), remembered.recorded)
    context = DeliveryContext(view, intents(), remembered, muting, lambda *_: None, Random(1), iter((1, 2)))
    hook = Integration("hook", "webhook", 0, True)
    made = Delivery(context, flush(), hook, flush().alerts, seen=None, now=T0)
    made.begin(T0 + 300 * SECOND, T0)
    return made


def pipeline(grouping: Grouping | None = None) -> Pipeline:
    made = Pipeline(
        config=one_receiver(ROUTE, hooks=2),
        silences=NoSilences(),
        inhibitor=NoSilences(),
        notification_log=NotificationLog(HOUR),
        peer_timeout_ns=15 * SECOND,
        random=Random(1),
        max_attempts=1,
    )
    made.position = 1
    made.start(flush("waits to be settled"), T0)
    made.settled(T0)
    made.start(flush("waits for its position"), T0)
    return made


def flow() -> AlertFlow:
    grouping = Grouping(one_receiver(ROUTE), T0)
    grouping.insert([alert(alertname=f"A{number}") for number in range(10)], T0)
    return AlertFlow(grouping, pipeline(), intents())


def shadow() -> Shadow:
    """With a hundred notifications that nobody else sends."""
    made = Shadow(NotificationLog(HOUR), peer_timeout=15 * SECOND)
    made.members(1)
    made.begin(T0)
    hook = Integration("hook", "webhook", 0, True)
    for number in range(100):
        key = f"{{}}:{number}"
        entry = made.stage(hook.log_receiver, key, [1], [], T0, HOUR, None)
        made.decided([Withheld(flush(key), hook, T0, entry, "first notification")], T0)
    return made


def endpoint(kind: MembershipKind) -> Endpoint:
    made = Endpoint(
        GossipConfig(), name="a", address=Address("127.0.0.1", 1), now=0.0, random=Random(1), kind=kind
    )
    made.start(0.0)
    return made


def discovery() -> Discovery:
    return Discovery([Name("a.example", 1), Name("b.example", 1)], interval=15.0, random=Random(1), now=0.0)


def settle() -> Settle:
    made = Settle(deadline=60.0)
    made.wait_for("a", 0.0)
    made.heard("a")
    made.wait_for("silent", 0.0)
    made.start()
    return made


def dtls_node() -> dtls.Node:
    return dtls.Node(dtls.World(seed=1), dtls.HOSTS[0])


def dialling() -> Outgoing:
    made = dtls_node().outgoing
    made.send(Address(dtls.HOSTS[1], dtls.PORT), b"packet", 0.0)
    return made


def listening() -> Incoming:
    return dtls_node().incoming


DOMAIN: dict[str, Callable[[], Machine[Any, Nanoseconds]]] = {
    "intents": intents,
    "dispatcher": dispatcher,
    "delivery": delivery,
    "pipeline": pipeline,
    "alert flow": flow,
    "shadow": shadow,
}
NETWORK: dict[str, Callable[[], Machine[Any, float]]] = {
    "SWIM endpoint": lambda: endpoint(MembershipKind.SWIM),
    "static endpoint": lambda: endpoint(MembershipKind.STATIC),
    "discovery": discovery,
    "settle": settle,
    "DTLS, dialling": dialling,
    "DTLS, listening": listening,
}


def keeps_the_contract(machine: Machine[Any, Any], now: Any, nearly: Any, end: Any) -> None:
    """From ``now`` on until ``end``; ``nearly`` is a time that is too short to count."""
    machine.drain()
    assert not machine.drain(), "each effect is handed out once"
    again = 0
    while (due := machine.next_timeout()) is not None and due <= end:
        assert machine.next_timeout() == due, "to ask changes nothing"
        if due - nearly > now:
            machine.handle_timeout(due - nearly)
            assert not machine.drain(), "before its time nothing is done"
            assert machine.next_timeout() == due
        again = again + 1 if due <= now else 0
        assert again < AT_ONE_MOMENT, "time does not pass"
        now = max(now, due)
        machine.handle_timeout(now)
        machine.drain()
        assert not machine.drain()


@pytest.mark.parametrize("name", DOMAIN)
def test_machines_of_the_domain_in_nanoseconds(name: str) -> None:
    keeps_the_contract(DOMAIN[name](), T0, 1, T0 + HOUR)


@pytest.mark.parametrize("name", NETWORK)
def test_machines_of_the_network_in_seconds(name: str) -> None:
    keeps_the_contract(NETWORK[name](), 0.0, 1e-6, 300.0)


def test_late_calls_do_no_harm() -> None:
    """A machine that was left alone for an hour goes on as if it had been asked in time."""
    for make in DOMAIN.values():
        machine = make()
        machine.handle_timeout(T0 + HOUR)
        keeps_the_contract(machine, T0 + HOUR, 1, T0 + 2 * HOUR)
    for make_other in NETWORK.values():
        other = make_other()
        other.handle_timeout(3600.0)
        keeps_the_contract(other, 3600.0, 1e-6, 3700.0)
