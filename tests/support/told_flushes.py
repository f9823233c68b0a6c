"""Records of four flushes, a minute apart."""

from __future__ import annotations

from typing import Any

from tocsin.alerting.record.model import (
    AlertRecord,
    AttemptRecord,
    DeliveryRecord,
    FlushRecord,
    LogRecord,
    MuteRecord,
)
from tocsin.alerting.timestamp import SECOND

T0 = 1_700_000_000 * SECOND


def flush(minute: int, name: str, *more: AlertRecord, receiver: str = "team", **fields: Any) -> FlushRecord:
    began = T0 + minute * 60 * SECOND
    alert = AlertRecord(len(name), (("alertname", name),), starts_at=T0)
    return FlushRecord(
        group_key=f'{{}}:{{alertname="{name}"}}',
        route_id="{}",
        group_labels=(("alertname", name),),
        receiver=receiver,
        began=began,
        next_flush=began + 300 * SECOND,
        node="n1",
        alerts=(alert, *more),
        ended=began + SECOND,
        success=True,
        **fields,
    )


def delivery(outcome: Any = "sent", **fields: Any) -> DeliveryRecord:
    return DeliveryRecord(receiver="team", integration="webhook", index=0, outcome=outcome, **fields)


FAILED = AttemptRecord(
    number=1, began=T0, ended=T0 + SECOND, outcome="failed", reason="other", error="connection refused"
)
RECORDS = [
    flush(0, "A", deliveries=(delivery(firing=1, attempts=(FAILED,), reason="first notification"),)),
    flush(1, "BB", muted=(MuteRecord(reason="silence", at=T0, alerts=(2,), by=("id-1",)),)),
    flush(
        2,
        "A",
        deliveries=(delivery("not needed", log=LogRecord(notified_at=T0, firing=1, resolved=0, by="n2")),),
    ),
    flush(
        3, "CCC", AlertRecord(9, ends_at=T0 + SECOND), receiver="other", deliveries=(delivery("given up"),)
    ),
]
