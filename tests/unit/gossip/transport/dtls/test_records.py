"""Records: read, packed, and the messages about cookies."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tests.support.dtls import config_for, shared_contexts
from tocsin.gossip.transport.dtls.association import Association
from tocsin.gossip.transport.dtls.records import (
    ALERT,
    DATA,
    HANDSHAKE,
    MAX_RECORDS,
    Record,
    hello_verify_request,
    is_lost_state,
    lost_state,
    pack_datagrams,
    read_client_hello,
    read_records,
)
from tocsin.gossip.transport.dtls.verification import no_rule


def record(kind: int, body: bytes, epoch: int = 1) -> bytes:
    return (
        bytes([kind])
        + b"\xfe\xfd"
        + epoch.to_bytes(2, "big")
        + bytes(6)
        + len(body).to_bytes(2, "big")
        + body
    )


RECORDS = st.lists(
    st.builds(record, st.sampled_from([20, 21, 22, 23]), st.binary(min_size=1, max_size=1200)), max_size=12
)


def hello() -> bytes:
    datagrams = Association.dial(config_for(), shared_contexts().client_context(), no_rule, 0.0).drain()
    assert len(datagrams) == 1
    return datagrams[0]


@given(RECORDS)
def test_glued_records_are_told_apart(records: list[bytes]) -> None:
    assert [each.data for each in read_records(b"".join(records))] == records


@given(RECORDS)
def test_datagrams_hold_whole_records_in_order_and_keep_to_the_mtu(records: list[bytes]) -> None:
    datagrams = pack_datagrams(records, 1400)
    assert b"".join(datagrams) == b"".join(records)
    assert all(len(each) <= 1400 for each in datagrams)
    assert [each.data for datagram in datagrams for each in read_records(datagram)] == records
    for one, next_one in itertools.pairwise(datagrams):
        assert len(one) + len(read_records(next_one)[0].data) > 1400, "one more would have fitted"


def test_a_record_longer_than_the_mtu_goes_alone() -> None:
    long = record(DATA, bytes(3000))
    assert pack_datagrams([record(DATA, b"a"), long, record(DATA, b"b")], 1400)[1] == long


@given(st.binary(max_size=300))
def test_any_bytes_can_be_read(data: bytes) -> None:
    for each in read_records(data):
        read_client_hello(each)
        assert is_lost_state(each) in (True, False)


@given(st.data())
def test_an_altered_hello_is_read_or_refused(data: st.DataObject) -> None:
    changed = bytearray(hello())
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    for each in read_records(bytes(changed)):
        read_client_hello(each)


def test_what_follows_a_malformed_record_is_not_looked_at() -> None:
    good = record(DATA, b"good")
    for bad in (
        record(99, b"kind"),
        b"\x17\x03\x03" + record(DATA, b"version")[3:],
        record(DATA, b"")[:13],
    ):
        assert [each.data for each in read_records(good + bad + good)] == [good]
    for cut in (record(DATA, b"cut off")[:-1], b"\x17"):
        assert [each.data for each in read_records(good + cut)] == [good]


def test_the_hello_that_openssl_writes_is_read() -> None:
    (first,) = read_records(hello())
    found = read_client_hello(first)
    assert found is not None
    assert len(found.random) == 32
    assert found.cookie == b""


def test_a_hello_in_fragments_is_refused() -> None:
    whole = hello()
    body = bytearray(whole[13:])
    body[9:12] = (int.from_bytes(body[9:12], "big") - 10).to_bytes(3, "big")
    piece = bytes(body[:-10])
    (cut,) = read_records(whole[:11] + len(piece).to_bytes(2, "big") + piece)
    assert read_client_hello(cut) is None


def test_openssl_answers_our_request_with_the_cookie_and_the_same_parameters() -> None:
    client = Association.dial(config_for(), shared_contexts().client_context(), no_rule, 0.0)
    (first,) = read_records(client.drain()[0])
    asked = read_client_hello(first)
    assert asked is not None
    (request,) = read_records(hello_verify_request(asked, b"c" * 32))
    assert request.kind == HANDSHAKE
    client.receive(request, 0.1)
    (second,) = read_records(client.drain()[0])
    answered = read_client_hello(second)
    assert answered is not None
    assert answered.cookie == b"c" * 32
    assert (answered.random, answered.parameters) == (asked.random, asked.parameters)


def test_of_a_datagram_that_was_received_few_records_are_looked_at() -> None:
    datagram = b"".join(record(ALERT, b"x") for _ in range(200))
    assert len(read_records(datagram, MAX_RECORDS)) == MAX_RECORDS
    assert len(read_records(datagram)) == 200


def test_lost_state_is_told_apart_from_alerts() -> None:
    (told,) = read_records(lost_state())
    assert is_lost_state(told)
    assert not is_lost_state(Record(ALERT, 0, record(ALERT, b"\x02\x28", epoch=0)))
    assert not is_lost_state(Record(ALERT, 1, record(ALERT, b"\x01\x0a")))
