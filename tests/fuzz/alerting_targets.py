"""Targets in the alerting domain: replicated state, intents, digests; matchers, durations, times, quotes."""

from __future__ import annotations

import zlib
from functools import partial
from random import Random

from simulation.alerting import NoSilences
from tests.support.routing import one_route
from tocsin.alerting import duration, timeinterval
from tocsin.alerting.digest import messages as digest
from tocsin.alerting.digest.exchange import Exchange
from tocsin.alerting.digest.memory import Memory
from tocsin.alerting.digest.replica import Replica
from tocsin.alerting.digest.responder import Responder
from tocsin.alerting.explain.explanation import Scene
from tocsin.alerting.explain.explanation import explain as tell
from tocsin.alerting.explain.knowledge import Knowledge
from tocsin.alerting.explain.messages import Answered, decode_message, encode_answer, encode_question
from tocsin.alerting.explain.story import Story
from tocsin.alerting.explain.text import render
from tocsin.alerting.intent import codec as intent_codec
from tocsin.alerting.intent.intents import Intents
from tocsin.alerting.labels import Labels, valid_classic_name, valid_name, valid_text
from tocsin.alerting.matcher import format_matchers, parse_matcher, parse_matchers
from tocsin.alerting.matcher.parse import ParserMode
from tocsin.alerting.nflog import NotificationLog
from tocsin.alerting.protocol.parts import decode_full_state, decode_part, read_sender
from tocsin.alerting.quote import go_quote, go_unquote
from tocsin.alerting.silence import Silences
from tocsin.alerting.timestamp import LATEST, SECOND, ZERO, format_milliseconds, format_rfc3339, parse_rfc3339
from tocsin.errors import StateError
from tocsin.node.config.alertmanager import AlertmanagerConfig

NOW = 1_750_000_000 * SECOND
RETENTION = 120 * 3600 * SECOND


def text_of(data: bytes) -> str:
    """Text of any bytes, as what reads files and requests makes it."""
    return data.decode("utf-8", "replace")


def part(data: bytes) -> None:
    """The envelope of a user message."""
    decode_part(data)


def full_state(data: bytes) -> None:
    """The user state of a push/pull; long ones are read by other code than short ones."""
    sender = read_sender(data)
    assert isinstance(sender, str)
    padding = b"\x0a\xff\xff\x03" + b"\x0a\x01x\x12\xf7\xff\x03" + bytes(65527)
    for state in (data, data + padding, padding + data):
        try:
            decode_full_state(state)
        except StateError:
            pass


def empty_silences() -> Silences:
    """None yet."""
    return Silences(RETENTION, random=Random(0))


def empty_log() -> NotificationLog:
    """Nothing notified yet."""
    return NotificationLog(RETENTION)


def silences(data: bytes) -> None:
    """Silences from a peer; what is taken can be asked, encoded and merged again."""
    held = empty_silences()
    try:
        held.merge(data, NOW)
    finally:
        assert not held.merge(held.encode_state(), NOW).taken, "what is held is news to itself"
        held.mutes(Labels({"alertname": "x", "a": "b"}), NOW)
        held.counts(NOW)
        for silence in held.replicated:
            str(silence.matcher_sets)
            format_milliseconds(silence.ends_at)
            held.key_of(silence.encoded)
        held.gc(NOW)


def notification_log(data: bytes) -> None:
    """Entries of the notification log from a peer."""
    held = empty_log()
    try:
        held.merge(data, NOW)
    finally:
        assert not held.merge(held.encode_state(), NOW).taken, "what is held is news to itself"
        for entry in held:
            held.key_of(entry.encoded)
        held.gc(NOW)


def digests(data: bytes) -> None:
    """A message of the anti-entropy, answered by both sides."""
    read = digest.decode(data)
    encoded = digest.encode(read)
    assert digest.decode(encoded) == read
    log, held = empty_log(), empty_silences()
    replicas: dict[str, Replica] = {"nfl": log.replicated, "sil": held.replicated}
    try:
        Responder("a", replicas).answer(read, NOW)
    except StateError:
        pass
    exchange = Exchange("a", replicas, Memory(), read.envelope.exchange, NOW)
    exchange.request(NOW)
    exchange.receive(read, NOW)
    if not exchange.finished:
        exchange.request(NOW)
        exchange.receive(read, NOW)


def explain(data: bytes) -> None:
    """A question or an answer about alerts, as it is or before it was compressed."""
    try:
        message = decode_message(data)
    except StateError:
        message = decode_message(data[:10] + zlib.compress(data[10:]))
    if isinstance(message, Answered):
        for alert in message.knowledge.alerts:
            render(explain_alert(alert.labels, message.knowledge))
        encode_answer(message)
    else:
        encode_question(message)


def explain_alert(labels: Labels, knowledge: Knowledge) -> Story:
    """What a node makes of the answer."""
    return tell(
        Scene(
            labels=labels,
            now=0,
            config=AlertmanagerConfig(route=one_route(), receivers=()),
            inhibitor=NoSilences(),
            silences=NoSilences(),
            others=(knowledge,),
        )
    )


def intents(data: bytes) -> None:
    """What a peer says that it is about to send."""
    heard = Intents("a", now=NOW)
    keys = heard.receive(data, NOW)
    for key in keys:
        assert len(key) == 16
    for later in (0, SECOND, 100 * SECOND):
        heard.handle_timeout(NOW + later)
        heard.next_timeout()
    assert intent_codec.decode(data)[0] is not None


def matchers(data: bytes) -> None:
    """One matcher and many, in each notation; what is read can be written and read again."""
    text = text_of(data)
    for mode in ParserMode:
        try:
            parse_matcher(text, mode=mode)
        except ValueError:
            pass
        try:
            found = parse_matchers(text, mode=mode)
        except ValueError:
            continue
        written = format_matchers(found)
        if valid_text(written) and all(each.name for each in found):
            again = parse_matchers(
                written, mode=ParserMode.UTF8_STRICT if mode.name.startswith("UTF8") else mode
            )
            assert format_matchers(again) == written


def durations(data: bytes) -> None:
    """Prometheus's and Go's durations; what is read can be written and read again."""
    text = text_of(data)
    for parse, write in (
        (duration.parse_duration, duration.format_duration),
        (duration.parse_go_duration, duration.format_go_duration),
    ):
        try:
            span = parse(text)
        except ValueError:
            continue
        if parse is duration.parse_go_duration:
            assert parse(write(span)) == span, text
        else:
            write(span)


def timestamps(data: bytes) -> None:
    """RFC 3339."""
    instant = parse_rfc3339(text_of(data))
    again = parse_rfc3339(format_rfc3339(instant))
    # An offset may lead out of the years that have a text; such an instant is shown as one inside.
    assert again == instant if ZERO <= instant <= LATEST else ZERO <= again <= LATEST
    format_milliseconds(instant)


def quotes(data: bytes) -> None:
    """Go's quoted text, and names and values of labels."""
    text = text_of(data)
    if valid_text(text):
        assert go_unquote(go_quote(text)) == text
    valid_name(text)
    valid_classic_name(text)
    assert Labels({"a": text}).fingerprint_text
    go_unquote(text)


def time_intervals(data: bytes) -> None:
    """The parts of time intervals."""
    text = text_of(data)
    start, _, end = text.partition(" ")
    for parse in (
        timeinterval.parse_weekday_range,
        timeinterval.parse_day_of_month_range,
        timeinterval.parse_month_range,
        timeinterval.parse_year_range,
        timeinterval.parse_location,
        partial(timeinterval.parse_time_range, start),
    ):
        try:
            parse(end if isinstance(parse, partial) else text)
        except ValueError:
            pass
