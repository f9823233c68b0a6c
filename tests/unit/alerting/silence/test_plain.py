"""Silences that are quickly read are read as the codec reads them, and merged as if one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support import amounts
from tocsin.alerting import merging
from tocsin.alerting.digest.tree import version_of
from tocsin.alerting.merging import BYTES_IN_STEP
from tocsin.alerting.protocol import plain_pb2, silence_pb2
from tocsin.alerting.protocol.delimited import delimit, read_delimited, spans, varint
from tocsin.alerting.silence import Silence, Silences, make_matcher_sets, plain
from tocsin.alerting.silence.codec import canonical, decode, encode
from tocsin.alerting.silence.plain import read_all_plain, read_plain
from tocsin.alerting.silence.state import SilenceStore
from tocsin.alerting.skew import MAX_SKEW
from tocsin.alerting.timestamp import SECOND
from tocsin.errors import StateError

NOW = 1_800_000_000 * SECOND
HOUR = 3600 * SECOND


def silence(
    identifier: str = "one",
    matchers: tuple[tuple[int, str, str], ...] = ((0, "alertname", "Down"),),
    *,
    updated_at: int = NOW,
    ends_at: int = NOW + HOUR + 5,
    expires_at: int = NOW + 2 * HOUR,
    comment: str = "because",
    annotations: dict[str, str] | None = None,
) -> Silence:
    return encode(
        Silence(
            id=identifier,
            matcher_sets=make_matcher_sets([matchers]),
            starts_at=min(NOW, ends_at - HOUR),
            ends_at=ends_at,
            updated_at=updated_at,
            created_by="me",
            comment=comment,
            annotations=annotations or {},  # type: ignore[arg-type]
            expires_at=expires_at,
        )
    )


def message_of(encoded: bytes) -> bytes:
    return bytes(next(read_delimited(encoded)))


def is_read_alike(encoded: bytes) -> bool:
    """Whether it is plain; then it is what the codec makes of it."""
    found = read_plain(encoded)
    if found is None:
        return False
    expected = decode(message_of(encoded))
    assert found == expected
    assert found.encoded == expected.encoded == encoded
    assert found.version == version_of(canonical(expected))
    assert not found.annotations
    assert not found.has_patterns
    return True


@pytest.mark.parametrize(
    "matchers",
    [
        ((0, "alertname", "Down"),),
        ((2, "alertname", ""),),
        ((0, "a", "ü"), (2, "ü", "b"), (0, "b", "")),
        ((0, "a", "x" * 100), (0, "b", "")),
    ],
)
@pytest.mark.parametrize("comment", ["", "because", "ü" * 70, "x" * 300])
def test_what_we_write_without_patterns_is_plain(
    matchers: tuple[tuple[int, str, str], ...], comment: str
) -> None:
    assert is_read_alike(silence(matchers=matchers, comment=comment).encoded)


@pytest.mark.parametrize(
    "one",
    [
        silence(matchers=((1, "alertname", "a.*"),)),
        silence(matchers=((0, "alertname", "x"), (3, "a", "b"))),
        silence(annotations={"tocsin/expire-when-resolved": "true"}),
        silence(comment="x" * 5000),
        silence("x" * 128),
        silence("ü"),
    ],
)
def test_what_is_more_than_that_is_left_to_the_codec(one: Silence) -> None:
    assert read_plain(one.encoded) is None


def _mesh(**of_silence: object) -> silence_pb2.MeshSilence:
    mesh = silence_pb2.MeshSilence.FromString(message_of(silence().encoded))
    for name, value in of_silence.items():
        setattr(mesh.silence, name, value)
    return mesh


def test_a_second_set_that_looks_like_the_first_one_is_seen() -> None:
    """Else only one of two sets would be acted on, or another one than by Alertmanager."""
    mesh = _mesh()
    first = mesh.silence.matcher_sets[0].SerializeToString()
    mesh.silence.matcher_sets.add().CopyFrom(mesh.silence.matcher_sets[0])
    assert read_plain(delimit(mesh.SerializeToString(deterministic=True))) is None
    mesh = _mesh()
    mesh.silence.matcher_sets[0].matchers[0].pattern = "x\x5a" + chr(len(first)) + first.decode()
    assert read_plain(delimit(mesh.SerializeToString(deterministic=True))) is None
    mesh = _mesh()
    mesh.silence.comment = "x\x5a" + chr(len(first)) + first.decode()
    del mesh.silence.matcher_sets[:]
    assert read_plain(delimit(mesh.SerializeToString(deterministic=True))) is None


instants = st.one_of(
    st.tuples(st.integers(1_700_000_000, 1_900_000_000), st.integers(0, 999_999_999)),
    st.tuples(st.sampled_from([0, 1, -1, 1 << 28, 1 << 35, 1 << 40, -(1 << 40)]), st.integers(-1, 1 << 30)),
)
texts = st.one_of(st.text(max_size=8), st.sampled_from(["x" * 127, "x" * 128, "ü" * 64]))
triples = st.tuples(st.sampled_from([0, 0, 0, 2, 1, 3, 7]), texts, texts)


@st.composite
def meshes(draw: st.DrawFn) -> silence_pb2.MeshSilence:
    mesh = silence_pb2.MeshSilence()
    one = mesh.silence
    one.id = draw(st.sampled_from(["a", "b", "", "x" * 36, "x" * 127, "ü"]))
    listed = draw(st.lists(triples, min_size=1, max_size=3))
    for number, name, pattern in listed:
        one.matchers.add(type=number, name=name, pattern=pattern)
    for _ in range(draw(st.sampled_from([1, 1, 1, 0, 2]))):
        one.matcher_sets.add().matchers.extend(one.matchers)
    for field in (one.starts_at, one.ends_at, one.updated_at, mesh.expires_at):
        field.seconds, field.nanos = draw(instants)
    one.created_by, one.comment = draw(texts), draw(texts)
    if draw(st.integers(0, 9)) == 0:
        one.annotations["a"] = "b"
    if draw(st.integers(0, 9)) == 0:
        one.comments.add(author="x", comment="y")
    return mesh


@settings(max_examples=amounts.many(300))
@given(
    meshes(), st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=2), st.integers(0, 2)), max_size=2)
)
@example(_mesh(), [])
@example(_mesh(), [(4, b"\x80\x00", 1)])
def test_whatever_is_plain_is_what_the_codec_makes_of_it(
    mesh: silence_pb2.MeshSilence, edits: list[tuple[int, bytes, int]]
) -> None:
    message = mesh.SerializeToString(deterministic=True)
    for place, inserted, removed in edits:
        message = message[:place] + inserted + message[place + removed :]
    is_read_alike(delimit(message))


usual_times = st.tuples(st.integers(1_790_000_000, 1_800_000_000), st.integers(1, 999_999_999))


@st.composite
def usual(draw: st.DrawFn) -> bytes:
    """One of those that are read together with others, now and then with something odd."""
    mesh = silence_pb2.MeshSilence()
    one = mesh.silence
    one.id = draw(st.sampled_from(["a", "b", "x" * 36]))
    one.matchers.add(type=draw(st.sampled_from([0, 2])), name="a", pattern=draw(texts))
    one.matcher_sets.add().matchers.extend(one.matchers)
    for field in (one.starts_at, one.ends_at, one.updated_at, mesh.expires_at):
        field.seconds, field.nanos = draw(usual_times)
    one.comment = draw(texts)
    odd = draw(st.integers(0, 30))
    if odd == 0:
        draw(st.sampled_from([one.starts_at, one.updated_at, mesh.expires_at])).nanos = draw(
            st.sampled_from([0, -1, SECOND])
        )
    elif odd == 1:
        one.ends_at.MergeFromString(draw(st.sampled_from([b"\x18\x01", b"\x00" * 0, b"\x18\x00\x08\x01"])))
    elif odd == 2:
        mesh.MergeFromString(b"\x18\x01")
    elif odd == 3:
        one.matchers[0].name = ""
    message = mesh.SerializeToString(deterministic=True)
    if odd == 4:
        message = (
            b"\x12" + bytes((mesh.expires_at.ByteSize(),)) + mesh.expires_at.SerializeToString() + message
        )
    return delimit(message)


@settings(max_examples=amounts.many(100))
@given(st.lists(usual(), max_size=12))
def test_read_together_they_are_what_each_is_by_itself(several: list[bytes]) -> None:
    found = read_all_plain(several)
    assert [each is not None for each in found] == [is_read_alike(encoded) for encoded in several]
    assert found == [read_plain(encoded) for encoded in several]


@settings(max_examples=amounts.many(100))
@given(
    st.lists(usual(), min_size=plain.MANY, max_size=8),
    st.integers(0, 7),
    st.integers(0, 200),
    st.binary(max_size=4),
)
def test_a_set_that_is_cut_or_goes_on_is_not_plain_beside_others_either(
    several: list[bytes], place: int, cut: int, more: bytes
) -> None:
    """All lengths around it are right: only what is in it can tell."""
    place %= len(several)
    mesh = plain_pb2.MeshSilence.FromString(message_of(several[place]))
    whole = mesh.silence.matcher_sets
    mesh.silence.matcher_sets = whole[: max(0, len(whole) - cut)] + more
    several[place] = delimit(mesh.SerializeToString(deterministic=True))
    assert read_all_plain(several) == [read_plain(encoded) for encoded in several]


@pytest.mark.parametrize("left", range(2, 13))
def test_a_set_that_ends_within_a_matcher_is_not_plain_beside_others_either(left: int) -> None:
    """Else the rest of it would be a silence of nearly all alerts, which no other node could read."""
    mesh = plain_pb2.MeshSilence.FromString(message_of(silence("cut", ((2, "abc", "xyz"),)).encoded))
    assert len(mesh.silence.matcher_sets) == 14
    mesh.silence.matcher_sets = mesh.silence.matcher_sets[:left]
    others = [silence(f"other-{number}", ((2, "abc", "xyz"),)).encoded for number in range(plain.MANY)]
    found = read_all_plain([delimit(mesh.SerializeToString(deterministic=True)), *others])
    assert [each is None for each in found] == [True, *[False] * len(others)]


def test_sets_of_one_silence_are_not_taken_for_anothers() -> None:
    """Each field of several is read as one list: as long as that is, one may have two and another none."""
    two, none = _mesh(id="two"), _mesh(id="none")
    two.silence.matcher_sets.add().CopyFrom(two.silence.matcher_sets[0])
    del none.silence.matcher_sets[:]
    others = [_mesh(id=f"other-{number}") for number in range(plain.MANY)]
    several = [delimit(each.SerializeToString(deterministic=True)) for each in (two, none, *others)]
    found = read_all_plain(several)
    assert [each is None for each in found] == [True, True, *[False] * len(others)]


def test_matchers_of_one_silence_are_not_taken_for_anothers() -> None:
    more, fewer = _mesh(id="more"), _mesh(id="fewer")
    more.silence.matchers.add(name="b", pattern="x")
    fewer.silence.matcher_sets[0].matchers.add(name="b", pattern="x")
    others = [_mesh(id=f"other-{number}") for number in range(plain.MANY)]
    several = [delimit(each.SerializeToString(deterministic=True)) for each in (more, fewer, *others)]
    found = read_all_plain(several)
    assert [each is None for each in found] == [True, True, *[False] * len(others)]


_pieces = st.sampled_from(
    [
        b"\x08",
        b"\x10",
        b"\x00",
        b"\x80",
        b"\x80\x00",
        b"\x01",
        varint(1_800_000_000),
        varint(5),
        varint(1 << 40),
    ]
)
_times = st.one_of(
    st.builds(
        lambda second, nano: b"\x08" + varint(second) + b"\x10" + varint(nano),
        st.integers(1, 1 << 36),
        st.integers(1, SECOND),
    ),
    st.lists(_pieces, max_size=9).map(b"".join),
)


@settings(max_examples=amounts.many(200))
@given(st.lists(_times, max_size=6), st.integers(0, 6))
@example([b"\x08\x05\x10\x05\x00\x08\x05\x10\x05", b""], 1)
@example([b"\x08\x05\x10", b"\x05\x00\x08\x05\x10\x05"], 0)
def test_times_read_together_are_what_each_is_by_itself(some: list[bytes], place: int) -> None:
    """What is more or less than one time must not be taken for several."""
    usual = [b"\x08\x05\x10" + varint(number + 1) for number in range(plain.MANY_TIMES)]
    several = usual[:place] + some + usual[place:]
    assert plain._instants(several) == [plain._instant(each) for each in several]


class OneByOne(SilenceStore):
    """Knows nothing of plain ones."""

    def _plain(self, encoded: Sequence[bytes]) -> Sequence[Silence | None]:
        return [None] * len(encoded)


stories = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d"]),
        st.sampled_from([((0, "x", "1"),), ((0, "x", "1"), (2, "y", "2")), ((1, "x", "1"),)]),
        st.sampled_from([NOW - 5, NOW, NOW + 1, NOW + 2 * MAX_SKEW, NOW - 900 * HOUR]),
        st.sampled_from(
            [(NOW + HOUR, NOW + 2 * HOUR), (NOW - 960 * HOUR, NOW + 960 * HOUR), (NOW - 9 * HOUR, NOW - 1)]
        ),
        st.sampled_from(["", "", "", "unknown", "order", "loose", "matcher"]),
    ),
    max_size=12,
)
"""Id, matchers, stamp, the end with the expiry, which may be later than retention allows, and how it is
written otherwise."""
Story = list[tuple[str, tuple[tuple[int, str, str], ...], int, tuple[int, int], str]]


def _written(encoded: bytes, otherwise: str) -> bytes:
    message = message_of(encoded)
    match otherwise:
        case "unknown":
            return delimit(message + b"\x18\x01")
        case "order":
            mesh = silence_pb2.MeshSilence.FromString(message)
            expiry = mesh.expires_at.SerializeToString()
            return delimit(b"\x12" + bytes((len(expiry),)) + expiry + message[: -len(expiry) - 2])
        case "loose":
            return bytes((len(message) & 0x7F | 0x80, len(message) >> 7 | 0x80, 0)) + message
        case "matcher":
            mesh = silence_pb2.MeshSilence.FromString(message)
            mesh.silence.matchers[0].name = mesh.silence.matcher_sets[0].matchers[0].name = ""
            return delimit(mesh.SerializeToString(deterministic=True))
        case _:
            return encoded


def _store(kind: type[SilenceStore], *, max_entries: int) -> SilenceStore:
    return kind(120 * HOUR, max_entries, 1 << 20, 1 << 20)


@settings(max_examples=amounts.many(100))
@given(stories, stories, st.sampled_from([1, 3, 64]), st.sampled_from([3, 200]), st.booleans())
def test_together_they_are_merged_as_one_by_one(
    first: Story,
    second: Story,
    budget: int,
    max_entries: int,
    others_keep: bool,
) -> None:
    stores = [_store(kind, max_entries=max_entries) for kind in (SilenceStore, OneByOne)]
    kept: list[list[bytes]] = [[], []]
    for store, journal in zip(stores, kept, strict=True):
        store.on_stored = lambda entries, journal=journal: journal.extend([each.encoded for each in entries])
    keeping = [store.merge_job(silence("kept").encoded, NOW) for store in stores if others_keep]
    for job in keeping:  # What it has read is kept, and so nothing of others'.
        assert not job.step(1)
        assert job._parsed
    for story in (first, second):
        payload = b"".join(
            [
                _written(
                    silence(name, sets, updated_at=stamp, ends_at=ends, expires_at=expires).encoded, otherwise
                )
                for name, sets, stamp, (ends, expires), otherwise in story
            ]
        )
        results = []
        for store in stores:
            job = store.merge_job(payload, NOW)
            while not job.step(budget):
                pass
            results.append(job.result)
        assert astuple(results[0]) == astuple(results[1])
    one, other = stores
    assert {each.id: each.encoded for each in one} == {each.id: each.encoded for each in other}
    assert kept[0] == kept[1]
    for name in (
        "total_bytes",
        "total_weight",
        "matchers",
        "log",
        "version",
        "regex_size",
        "_known",
        "_resting",
    ):
        assert getattr(one, name) == getattr(other, name), name
    assert one.digests.view(0) == other.digests.view(0)
    assert one.digests._members == other.digests._members
    assert one.digests._counted == other.digests._counted
    assert {name: one.index._unfiled[name].encoded for name in one.index._unfiled} == {
        name: other.index._unfiled[name].encoded for name in other.index._unfiled
    }
    for later in (0, 2000 * HOUR):
        for store in stores:
            store.gc(NOW + later)
            for moment in (NOW - HOUR, NOW, NOW + HOUR):
                assert store.starts.after(moment) == sum(each.starts_at > moment for each in store)
                assert store.ends.before(moment) == sum(each.ends_at < moment for each in store)


def test_a_length_that_is_longer_than_need_be_is_put_right() -> None:
    one = silence()
    message = message_of(one.encoded)
    assert len(message) < 1 << 14
    size = len(message)
    loose = bytes((size & 0x7F | 0x80, size >> 7 | 0x80, 0)) + message
    held = Silences(120 * HOUR, random=Random(0))
    assert held.merge(loose, NOW).taken == 1
    assert held.encode_state() == one.encoded
    assert held.merge(loose, NOW).unchanged == 1


def test_nothing_is_stored_of_plain_entries_before_bytes_that_are_none() -> None:
    held = Silences(120 * HOUR, random=Random(0))
    with pytest.raises(StateError):
        held.merge(silence().encoded + b"\x02\x0a\xff", NOW)
    assert not len(held)


def test_unknown_bytes_within_a_time_lead_nobody_to_other_matchers() -> None:
    """Once they led to the tail of a matcher's value, and that was read as the silence's matchers."""
    within = bytearray(b"0" * 280)
    within[152], within[254] = 0x64, 0x9D
    assert not is_read_alike(_contrived(bytes(within)))


def _contrived(within: bytes) -> bytes:
    mesh = silence_pb2.MeshSilence()
    one = mesh.silence
    one.id = "id1"
    one.matchers.add(name="a", pattern="b")
    one.starts_at.MergeFromString(b"\x08\x80\xa4\xa7\xda\x06\x7a\x98\x02" + within)
    one.ends_at.seconds = 1_800_003_600
    one.updated_at.seconds = 1_800_000_000
    mesh.expires_at.seconds = 1_800_007_200
    looks_like = silence_pb2.MeshSilence().silence
    looks_like.matcher_sets.add().matchers.add(name="a", pattern="b")
    tail = looks_like.SerializeToString().decode()
    one.matcher_sets.add().matchers.add(name="severity", pattern="y" * 100 + tail)
    return delimit(mesh.SerializeToString(deterministic=True))


def test_what_is_known_is_looked_at_a_few_times_whatever_it_is_beside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once, each of them was listed anew with all that follow when little was left of a step."""
    known = [silence(f"known-{number}").encoded for number in range(255)]
    store = Silences(HOUR, random=Random(0)).replicated
    store.merge(b"".join(known), NOW)
    rest = BYTES_IN_STEP - 16 - len(silence("large-0", comment="x" * 60_000).encoded)
    large = [silence(f"large-{number}", comment="x" * (60_000 + rest)).encoded for number in range(4)]
    looked = 0

    def counting(data: bytes | memoryview, start: int = 0) -> Iterator[tuple[int, int, int]]:
        nonlocal looked
        for span in spans(data, start=start):
            looked += 1
            yield span

    monkeypatch.setattr(merging, "spans", counting)
    job = store.merge_job(b"".join(each + b"".join(known) for each in large), NOW)
    while not job.step():
        pass
    assert job.result.unchanged == len(large) * len(known)
    assert looked <= 8 * len(large) * (1 + len(known))
