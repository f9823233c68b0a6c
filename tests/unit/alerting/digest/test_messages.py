"""The bytes of an exchange: what is written is read again, and hostile bytes are refused, nothing else."""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support import amounts
from tests.support.replicas import NOW, Replicas, silences
from tocsin.alerting.digest.exchange import Exchange
from tocsin.alerting.digest.memory import Memory
from tocsin.alerting.digest.messages import (
    DEFLATED,
    MAX_DEFLATED_BYTES,
    MAX_ITEMS,
    MAX_STATES,
    Body,
    Content,
    Envelope,
    Groups,
    Item,
    Later,
    Leaves,
    Message,
    Same,
    StateGroups,
    StateSummary,
    Summary,
    Transfer,
    Transferred,
    decode,
    deflate,
    encode,
)
from tocsin.alerting.digest.tree import GROUPS, LEAVES, LEAVES_IN_GROUP, Tombstone
from tocsin.errors import StateError

key = st.sampled_from(["sil", "nfl", "x"])
u32, u64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
identity = st.binary(min_size=16, max_size=16)
instant = st.integers(-(2**95), 2**95 - 1)
item = st.builds(Item, identity, instant, u64)
tombstone = st.tuples(identity, st.builds(Tombstone, instant, instant))


def many(strategy: st.SearchStrategy[object], size: int = 4) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(strategy, max_size=size).map(tuple)


def each_once(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=3, unique_by=lambda state: state.key).map(tuple)


shorts = st.lists(u64, min_size=4, max_size=4).map(lambda some: tuple(some * (GROUPS // 4)))
assert GROUPS == LEAVES_IN_GROUP
bodies: st.SearchStrategy[Body] = st.one_of(
    st.builds(Summary, each_once(st.builds(StateSummary, key, u32, st.integers(0, 2**128 - 1)))),
    st.builds(Same),
    st.builds(Later),
    st.builds(Groups, each_once(st.builds(StateGroups, key, u32, shorts))),
    st.builds(
        Leaves,
        key,
        st.integers(0, LEAVES - 1),
        st.booleans(),
        st.dictionaries(st.integers(0, GROUPS - 1), shorts, max_size=3),
    ),
    st.builds(
        Content,
        key,
        st.integers(0, LEAVES),
        st.sets(st.integers(0, LEAVES - 1), max_size=4).map(lambda some: tuple(sorted(some))),
        many(item),
        many(tombstone),
        st.binary(max_size=40),
    ),
    st.builds(Transfer, key, many(identity), many(tombstone), st.binary(max_size=40)),
    st.builds(Transferred, key, st.integers(0, 65535), st.binary(max_size=40)),
)
messages = st.builds(
    Message, st.builds(Envelope, st.text(max_size=20), u64, st.integers(-(2**63), 2**63 - 1)), bodies
)


@settings(max_examples=amounts.many(200))
@given(messages)
def test_what_is_written_is_read_again(message: Message) -> None:
    if "\ud800" <= max(message.envelope.sender, default="") <= "\udfff":
        return
    assert decode(encode(message)) == message


def test_a_compressed_message_that_grows_too_much_is_neither_read_nor_made() -> None:
    plain = encode(Message(Envelope("n", 1, 1), Transferred("sil", 0, bytes(100_000))))
    with pytest.raises(StateError, match="too long"):
        decode(bytes((DEFLATED,)) + zlib.compress(plain))
    assert deflate(plain) == plain


def test_a_compressed_message_is_read_again_unless_it_is_cut_followed_by_something_or_too_large() -> None:
    alike = b"".join([b"entries that are much alike, %08x, " % (n * 2654435761 % 2**32) for n in range(1000)])
    message = Message(Envelope("n", 1, 1), Transferred("sil", 9, alike))
    packed = deflate(encode(message))
    assert len(packed) < len(encode(message)) / 2
    assert decode(packed) == message
    for wrong in (packed[:-1], packed + b"x", packed[:1], packed[:1] + b"x" * 40):
        with pytest.raises(StateError, match="a compressed digest message"):
            decode(wrong)
    within = packed[:1] + zlib.compress(packed)
    with pytest.raises(StateError, match="of version 2"):
        decode(within)
    with pytest.raises(StateError, match="too long"):
        decode(packed[:1] + zlib.compress(bytes(MAX_DEFLATED_BYTES + 1)))
    large = encode(Message(Envelope("n", 1, 1), Transferred("sil", 9, bytes(MAX_DEFLATED_BYTES))))
    assert deflate(large) == large, "nobody is sent what nobody takes"


@settings(max_examples=amounts.many(200))
@given(messages, st.data())
def test_bytes_cut_changed_or_added_are_refused_or_read(message: Message, data: st.DataObject) -> None:
    whole = encode(message)
    with pytest.raises(StateError):
        decode(whole + b"x")
    with pytest.raises(StateError):
        decode(whole[: data.draw(st.integers(0, len(whole) - 1))])
    broken = bytearray(whole)
    broken[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(StateError):
        decode(bytes(broken))


@settings(max_examples=amounts.many(200))
@given(st.binary(max_size=200))
def test_any_bytes_raise_nothing_but_state_errors(data: bytes) -> None:
    with suppress(StateError):
        decode(b"\x01" + data)
    with suppress(StateError):
        decode(data)


@settings(max_examples=amounts.many(100))
@given(st.lists(messages, max_size=6))
@example([Message(Envelope("", 0, 0), Groups((StateGroups("sil", 0, (0,) * GROUPS),)))])  # asked by nobody
def test_neither_side_can_be_confused_by_well_formed_nonsense(received: list[Message]) -> None:
    node = Replicas("node")
    node.take("sil", silences(20), NOW)
    before = node.content(NOW)
    exchange = Exchange("node", node.states, Memory(), 7, NOW)
    for message in received:
        with suppress(StateError):
            encode(node.responder.answer(message, NOW))
        with suppress(StateError):
            exchange.receive(Message(Envelope("peer", 7, message.envelope.cutoff), message.body), NOW)
        if not exchange.finished:
            encode(exchange.request(NOW))
    assert len(node.silences) <= len(before["sil"])


def test_bounds_have_an_end() -> None:
    head = encode(Message(Envelope("n", 1, 1), Summary(())))[:-1]
    with pytest.raises(StateError, match="states in a digest message"):
        decode(head + bytes([MAX_STATES + 1]))
    with pytest.raises(StateError, match="of version 9"):
        decode(b"\x09" + head[1:])
    with pytest.raises(StateError, match="of kind 200"):
        decode(b"\x01\xc8" + head[2:])


def test_lists_have_an_end_and_name_nothing_twice() -> None:
    """They are read in one go, and looked up one by one."""
    envelope = Envelope("n", 1, 1)
    buried = ((bytes(16), Tombstone(-1, 1 << 94)),)
    items = (Item(bytes(16), -1, 1),)
    most: list[Body] = [
        Content("sil", 1, tuple(range(LEAVES)), items * MAX_ITEMS, buried * MAX_ITEMS, b""),
        Transfer("sil", (bytes(16),) * MAX_ITEMS, buried * MAX_ITEMS, b""),
    ]
    for body in most:
        assert decode(encode(Message(envelope, body))).body == body
    too_many: list[Body] = [
        Content("sil", 1, (), items * (MAX_ITEMS + 1), (), b""),
        Content("sil", 1, (), (), buried * (MAX_ITEMS + 1), b""),
        Transfer("sil", (bytes(16),) * (MAX_ITEMS + 1), (), b""),
        Transfer("sil", (), buried * (MAX_ITEMS + 1), b""),
    ]
    for body in too_many:
        with pytest.raises(StateError, match="entries listed"):
            decode(encode(Message(envelope, body)))
    for leaves in ((1, 1), (2, 1), (LEAVES,), (LEAVES, 1)):
        with pytest.raises(StateError, match="leaves in a digest message"):
            decode(encode(Message(envelope, Content("sil", 1, leaves, (), (), b""))))
    twice: list[Body] = [
        Summary((StateSummary("sil", 1, 1),) * 2),
        Groups((StateGroups("sil", 1, (0,) * GROUPS),) * 2),
    ]
    for body in twice:
        with pytest.raises(StateError, match="twice"):
            decode(encode(Message(envelope, body)))
