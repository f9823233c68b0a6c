"""Targets in the node: files of the operator, snapshots on the disk, bodies and queries of the API."""

from __future__ import annotations

import asyncio
import os
import tempfile
from functools import cache
from pathlib import Path

from tests.fuzz.alerting_targets import NOW, empty_log, empty_silences, text_of
from tocsin.alerting.timestamp import SECOND
from tocsin.errors import ValidationError
from tocsin.node.api.bodies import BodyError
from tocsin.node.api.go_json import decode_first, encode
from tocsin.node.api.postable_alerts import AlertReader, read_slowly
from tocsin.node.api.postable_silence import read_silence
from tocsin.node.api.requests import Query, accepts_json, check_content_type, is_uuid
from tocsin.node.api.times import parse_time
from tocsin.node.config.alertmanager import parse_config
from tocsin.node.config.arguments import parse_flags
from tocsin.node.config.commandline import HelpRequested
from tocsin.node.config.tls import load_cluster_tls
from tocsin.node.store import snapshot


@cache
def folder() -> Path:
    """Of this process, for targets that read files."""
    return Path(tempfile.mkdtemp(prefix="tocsin-fuzz-"))


def config(data: bytes) -> None:
    """``alertmanager.yml``. What is taken can be written and read again."""
    read = parse_config(data.decode("utf-8", "replace"), path="/nowhere/alertmanager.yml")
    str(read.original)


def cluster_tls(data: bytes) -> None:
    """``tls.yml``, as a file."""
    file = folder() / "tls.yml"
    file.write_bytes(data)
    load_cluster_tls(file)


def flags(data: bytes) -> None:
    """The command line, one argument in each line."""
    try:
        parse_flags([line for line in os.fsdecode(data).split("\n") if line])
    except HelpRequested:
        pass


def snapshots(data: bytes) -> None:
    """The files of a storage folder. Raises nothing: what can be read is taken, the damage is told."""
    for state in (empty_silences(), empty_log()):
        loaded = snapshot.Loaded()
        for _ in snapshot.load(state, data, NOW, loaded):
            pass
        b"".join(state.encode_slices())


def alerts_body(data: bytes) -> None:
    """POST alerts, read in both ways: where the quick one takes a body, the slow one says the same."""
    slow = None
    try:
        slow = read_slowly(data)
    except BodyError:
        pass
    quick = asyncio.run(AlertReader().read(data))
    if slow is not None:
        assert len(slow) == len(quick)


def silence_body(data: bytes) -> None:
    """POST silences."""
    silence = read_silence(data, NOW)
    empty_silences().set(silence, NOW)


def go_json(data: bytes) -> None:
    """JSON as Go reads it."""
    decode_first(data)
    encode(text_of(data))


def api_time(data: bytes) -> None:
    """A time in a body."""
    assert -(2**80) < parse_time(text_of(data)) < 2**80 * SECOND


def query(data: bytes) -> None:
    """The query string of a request, and its headers."""
    asked = Query(data)
    for name in ("active", "silenced"):
        asked.flag(name)
    text = text_of(data)
    is_uuid(text)
    accepts_json([text])
    for check in (asked.matchers, asked.receiver_matchers, asked.receiver):
        try:
            check()
        except ValidationError:
            pass
    check_content_type(text)
