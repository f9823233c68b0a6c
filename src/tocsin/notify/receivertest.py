"""Tests a receiver: one notification of a test alert, and what to check when it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import SECOND, Nanoseconds

if TYPE_CHECKING:
    from tocsin.notify.integrations.base import Answer, Outcome

NAME: Final = "TocsinTest"
"""Name of the alert, if no labels are given."""
SUMMARY: Final = "A test of a receiver"
_MINUTE: Final = 60 * SECOND


def notification_of_test(
    receiver: str,
    now: Nanoseconds,
    *,
    alerts: Sequence[Mapping[str, str]] = (),
    annotations: Mapping[str, str] | None = None,
    resolved: bool = False,
    external_url: str = "",
) -> Notification:
    """A notification of alerts with these labels, which have begun five minutes ago."""
    notes = Labels(annotations or {"summary": SUMMARY})
    made = tuple(
        Alert(
            labels=Labels(labels),
            annotations=notes,
            starts_at=now - 5 * _MINUTE,
            ends_at=now - _MINUTE if resolved else 0,
            generator_url=external_url,
            updated_at=now,
        )
        for labels in alerts or [{"alertname": NAME}]
    )
    name = made[0].name
    return Notification(
        receiver=receiver,
        group_key=f'{{}}:{{alertname="{name}"}}',
        group_labels=Labels({"alertname": name} if name else {}),
        alerts=made,
        now=now,
        reason="all alerts resolved" if resolved else "first notification",
    )


def hint(outcome: Outcome, answer: Answer | None) -> str:
    """What to check first, once it has failed."""
    if answer is None:
        error = outcome.error
        for begin, said in _BY_MAIL:
            if error.startswith(begin):
                return said
        for part, said in _UNANSWERED:
            if part in error:
                return said
        return "no answer came: see the error"
    status = answer.status
    if status == 429:
        after = answer.headers.get("retry-after", "")
        return "the server wants fewer requests" + (f"; retry after {after} s" if after.isdecimal() else "")
    if 500 <= status < 600:
        return "an error of the server; a node tries it again"
    return _BY_STATUS.get(status, "the answer says why the server refused it")


_BY_STATUS: Final = {
    400: "the server does not understand the message: check templates and identifiers",
    401: "the server does not accept the credentials: check token, password or http_config",
    403: "the credentials are not allowed to do this, or an identifier is not theirs",
    404: "nothing is there: check the URL and identifiers in it",
    405: "the URL is of another service",
    413: "the message is too large: check templates and max_alerts",
}
_BY_MAIL: Final = (
    (
        "'require_tls' is true",
        "enable STARTTLS at the server, or write require_tls: false to send in clear text",
    ),
    ("parse '", "an address may be made of labels that these alerts have not: give them with --alert"),
    ("no way to authenticate", "give what the error names, or another mechanism of the server"),
    ("AUTH", "the server does not accept the credentials: check auth_username and its password or secret"),
    ("MAIL", "the server refuses mail from this sender: check from"),
    ("RCPT", "the server refuses mail for this address: check to"),
    ("delivery", "the server has refused the mail itself: its answer says why"),
)
_UNANSWERED: Final = (
    ("refused", "nothing listens there: check host and port of the URL, and proxies"),
    ("name", "the host's name may be wrong"),
    ("tls", "check tls_config: ca_file for an authority of your own, server_name for another name"),
    ("deadline", "the server takes longer than the time limit of an attempt"),
    ("No such file", "a node reads that file for each attempt: it has to be where the node runs"),
    ("template", "fix the template; tocsinctl template render tries one"),
)
