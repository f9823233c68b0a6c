"""Every parser of bytes from the network, from files and from requests, under a name.

A target takes any bytes. It may raise the errors that it documents, listed here; anything else, an assertion
among it, is a find.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.fuzz import alerting_targets as alerting
from tests.fuzz import journal_targets as journal
from tests.fuzz import node_targets as node
from tests.fuzz import template_targets as templates
from tests.fuzz import tool_targets as tool
from tests.fuzz import wire_targets as wire
from tocsin.errors import (
    ConfigError,
    NotFoundError,
    RemoteError,
    StateError,
    UserError,
    ValidationError,
    WireError,
)
from tocsin.gotemplate import TemplateError
from tocsin.node.api.bodies import BodyError
from tocsin.node.api.go_json import GoJSONError


class Target(NamedTuple):
    """What to call, and what it may raise."""

    function: Callable[[bytes], None]
    errors: tuple[type[Exception], ...]
    max_length: int = 4096
    """Of the inputs that the fuzzer makes."""


TARGETS: dict[str, Target] = {
    # the network, before and inside a cluster
    "packet": Target(wire.packet, ()),
    "sealed-packet": Target(wire.sealed_packet, ()),
    "message": Target(wire.message, (WireError,)),
    "stream": Target(wire.stream, (WireError,)),
    "sealed-stream": Target(wire.sealed_stream, (WireError,)),
    "frames": Target(wire.frames, (WireError,)),
    "mux": Target(wire.mux, (WireError,)),
    "envelope": Target(wire.envelope, (WireError,)),
    "lzw": Target(wire.lzw_stream, (WireError,)),
    "inflate": Target(wire.inflate, (WireError,)),
    "keyring": Target(wire.keyring, (WireError,)),
    "msgpack": Target(wire.msgpack_fields, (WireError,)),
    "layers": Target(wire.layers, (WireError,)),
    "member": Target(wire.member, ()),
    # replicated state
    "part": Target(alerting.part, (StateError,)),
    "full-state": Target(alerting.full_state, ()),
    "silences": Target(alerting.silences, (StateError,)),
    "notification-log": Target(alerting.notification_log, (StateError,)),
    "digests": Target(alerting.digests, (StateError,)),
    "intents": Target(alerting.intents, (StateError,)),
    "explain": Target(alerting.explain, (StateError,)),
    # text
    "matchers": Target(alerting.matchers, (), 512),
    "durations": Target(alerting.durations, (), 64),
    "timestamps": Target(alerting.timestamps, (ValueError,), 64),
    "quotes": Target(alerting.quotes, (ValueError,), 256),
    "template": Target(templates.template, (TemplateError,), 512),
    "html-template": Target(templates.html_template, (TemplateError,), 512),
    "time-intervals": Target(alerting.time_intervals, (), 64),
    # files, flags and requests
    "config": Target(node.config, (ConfigError,)),
    "cluster-tls": Target(node.cluster_tls, (ConfigError,), 2048),
    "flags": Target(node.flags, (UserError,), 512),
    "snapshots": Target(node.snapshots, ()),
    "journal-row": Target(journal.journal_row, (StateError,)),
    "journal-file": Target(journal.journal_file, (), 16_384),
    "alerts-body": Target(node.alerts_body, (BodyError,)),
    "silence-body": Target(node.silence_body, (BodyError, ValidationError, NotFoundError)),
    "go-json": Target(node.go_json, (GoJSONError,), 512),
    "api-time": Target(node.api_time, (GoJSONError,), 64),
    "query": Target(node.query, (BodyError,), 512),
    # answers to the tool
    "node-answers": Target(tool.answers, (RemoteError,), 2048),
}


def run(name: str, data: bytes) -> None:
    """One input through one target; raises only what is a find."""
    target = TARGETS[name]
    try:
        target.function(data)
    except target.errors:
        pass
