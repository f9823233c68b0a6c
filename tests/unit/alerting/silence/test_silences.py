"""Silences as an operator makes, changes and ends them (wire 4.5)."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import MatchType, parse_matchers
from tocsin.alerting.protocol import read_delimited
from tocsin.alerting.protocol.silence_pb2 import MeshSilence
from tocsin.alerting.replicated import COLLECTED_IN_STEP
from tocsin.alerting.silence import Silence, SilenceLimits, Silences, SilenceState, codec, make_matcher_sets
from tocsin.alerting.silence.state import AT_ONCE
from tocsin.alerting.steps import finish
from tocsin.alerting.timestamp import SECOND, ZERO
from tocsin.errors import ConflictError, NotFoundError, StateError, ValidationError

HOUR = 3600 * SECOND
NOW = 1795484000 * SECOND + 123_456_789
RETENTION = 120 * HOUR

# Matchers (name, value, isRegex, isEqual) posted to Alertmanager 0.33.1 and the text of its status 400.
ANSWERS: list[tuple[list[tuple[str, str, bool, bool]], str]] = [
    (matchers, answer)
    for matchers, answer in json.loads(
        (Path(__file__).parent.parent / "data" / "silence-answers.json").read_text(encoding="utf-8")
    )
]


NO_LIMITS = SilenceLimits()


def silences(limits: SilenceLimits = NO_LIMITS, *, seed: int = 1) -> Silences:
    return Silences(RETENTION, random=Random(seed), limits=limits)


def ask(
    text: str = 'a="b"',
    *,
    identifier: str = "",
    start: int = NOW,
    end: int = NOW + HOUR,
    comment: str = "why",
) -> Silence:
    return Silence(identifier, (parse_matchers(text),), start, end, created_by="me", comment=comment)


def stored(state: Silences, identifier: str) -> Silence:
    silence = state.get(identifier)
    assert silence is not None
    return silence


@pytest.mark.parametrize(("matchers", "answer"), ANSWERS, ids=lambda value: str(value)[:30])
def test_bad_matchers_get_alertmanagers_words(
    matchers: list[tuple[str, str, bool, bool]], answer: str
) -> None:
    triples = [
        (int(MatchType.of(is_regex=is_regex, is_equal=is_equal)), name, value)
        for name, value, is_regex, is_equal in matchers
    ]
    with pytest.raises(ValidationError) as caught:
        make_matcher_sets([triples])
    assert f"invalid silence: {caught.value}" == answer


def test_a_silence_is_created() -> None:
    state = silences()
    identifier, changes = state.set(ask(), NOW)
    silence = stored(state, identifier)
    assert (silence.starts_at, silence.updated_at) == (NOW, NOW)
    assert silence.expires_at == NOW + HOUR + RETENTION
    assert changes == [silence.encoded] == [state.encode_state()]
    assert len(identifier) == 36
    assert identifier[14] == "4"  # a random UUID


@pytest.mark.parametrize("start", [0, ZERO, NOW - HOUR])
def test_a_start_in_the_past_or_none_is_now(start: int) -> None:
    state = silences()
    identifier, _ = state.set(ask(start=start), NOW)
    assert stored(state, identifier).starts_at == NOW


@pytest.mark.parametrize(
    ("silence", "problem"),
    [
        (replace(ask(), matcher_sets=()), "invalid silence: at least one matcher set required"),
        (replace(ask(), matcher_sets=((),)), "invalid silence: matcher set 0 is empty"),
        (
            ask('a=""'),
            "invalid silence: matcher set 0: at least one matcher must not match the empty string",
        ),
        (ask(end=ZERO), "invalid silence: invalid zero end timestamp"),
        (ask(start=NOW + HOUR, end=NOW), "invalid silence: end time must not be before start time"),
        (ask(start=0, end=NOW - 1), "invalid silence: end time must not be before start time"),
    ],
)
def test_a_bad_silence_changes_nothing(silence: Silence, problem: str) -> None:
    state = silences()
    with pytest.raises(ValidationError) as caught:
        state.set(silence, NOW)
    assert str(caught.value) == problem
    assert len(state) == 0


def test_an_unknown_id_is_not_found() -> None:
    state = silences()
    with pytest.raises(NotFoundError, match=r"^silence not found$"):
        state.set(ask(identifier="nobody"), NOW)
    with pytest.raises(NotFoundError, match=r"^silence not found$"):
        state.expire("nobody", NOW)
    assert state.get("nobody") is None


def test_an_active_silence_gets_another_end_in_place() -> None:
    state = silences()
    identifier, _ = state.set(ask(), NOW)
    # the API shows milliseconds, so what comes back differs within the second
    later = ask(identifier=identifier, start=NOW - 456_789, end=NOW + 2 * HOUR, comment="longer")
    again, changes = state.set(later, NOW + 60 * SECOND)
    assert again == identifier
    assert len(changes) == len(state) == 1
    assert stored(state, identifier).ends_at == NOW + 2 * HOUR
    assert stored(state, identifier).comment == "longer"
    assert stored(state, identifier).updated_at == NOW + 60 * SECOND


@pytest.mark.parametrize(
    "change",
    [
        ask('a="c"'),
        ask(start=NOW + 2 * SECOND),
    ],
    ids=["other matchers", "another start"],
)
def test_what_would_change_history_makes_a_new_silence(change: Silence) -> None:
    state = silences()
    old, _ = state.set(ask(), NOW)
    now = NOW + 60 * SECOND
    new, changes = state.set(replace(change, id=old), now)
    assert new != old
    assert [MeshSilence.FromString(bytes(next(read_delimited(c)))).silence.id for c in changes] == [old, new]
    assert stored(state, old).ends_at == now
    assert stored(state, old).state_at(now + 1) is SilenceState.EXPIRED
    assert stored(state, new).state_at(now) is SilenceState.ACTIVE


def test_a_pending_silence_may_move_but_not_into_the_past() -> None:
    state = silences()
    identifier, _ = state.set(ask(start=NOW + HOUR, end=NOW + 2 * HOUR), NOW)
    moved = ask(identifier=identifier, start=NOW + HOUR // 2, end=NOW + 2 * HOUR)
    assert state.set(moved, NOW + 1)[0] == identifier
    assert stored(state, identifier).starts_at == NOW + HOUR // 2
    new, _ = state.set(replace(moved, starts_at=NOW), NOW + 2)
    assert new != identifier


def test_an_expired_silence_is_never_changed() -> None:
    state = silences()
    identifier, _ = state.set(ask(), NOW)
    state.expire(identifier, NOW + SECOND)
    before = stored(state, identifier)
    new, changes = state.set(replace(ask(), id=identifier), NOW + 2 * SECOND)
    assert new != identifier
    assert len(changes) == 1
    assert stored(state, identifier) == before


def test_expiring() -> None:
    state = silences()
    active, _ = state.set(ask(), NOW)
    pending, _ = state.set(ask(start=NOW + HOUR, end=NOW + 2 * HOUR), NOW)
    then = NOW + 60 * SECOND
    assert len(state.expire(active, then)) == len(state.expire(pending, then)) == 1
    assert (stored(state, active).starts_at, stored(state, active).ends_at) == (NOW, then)
    assert (stored(state, pending).starts_at, stored(state, pending).ends_at) == (then, then)
    assert stored(state, active).expires_at == then + RETENTION
    assert state.expire(active, then + 1) == []
    assert state.counts(then + 1) == {
        SilenceState.ACTIVE: 0,
        SilenceState.PENDING: 0,
        SilenceState.EXPIRED: 2,
    }


def test_a_change_beats_a_version_from_a_clock_that_is_ahead() -> None:
    ahead = silences(seed=2)
    identifier, (change,) = ahead.set(ask(), NOW)
    (extended,) = ahead.set(ask(identifier=identifier, end=NOW + 3 * HOUR), NOW + HOUR // 2)[1]
    here = silences()
    here.merge(change, NOW)
    here.merge(extended, NOW)
    (expired,) = here.expire(identifier, NOW + SECOND)
    assert ahead.merge(expired, NOW + HOUR // 2).taken == 1
    assert stored(ahead, identifier).ends_at == NOW + SECOND


def test_the_number_of_silences_can_be_limited() -> None:
    state = silences(SilenceLimits(max_silences=1))
    identifier, _ = state.set(ask(), NOW)
    with pytest.raises(ValidationError, match=r"^exceeded maximum number of silences: 1 \(limit: 1\)$"):
        state.set(ask(), NOW)
    assert state.set(ask(identifier=identifier), NOW)[0] == identifier


def test_the_size_of_a_silence_can_be_limited() -> None:
    free = silences()
    identifier, (change,) = free.set(ask(comment="x" * 3000), NOW)
    size = len(next(read_delimited(change)))
    with pytest.raises(ValidationError) as caught:
        silences(SilenceLimits(max_silence_size_bytes=2000)).set(ask(comment="x" * 3000), NOW)
    assert str(caught.value) == f"silence exceeded maximum size: {size} bytes (limit: 2000 bytes)"
    silences(SilenceLimits(max_silence_size_bytes=size)).set(ask(comment="x" * 3000), NOW)
    limited = silences(SilenceLimits(max_silence_size_bytes=2000))
    assert limited.merge(change, NOW).taken == 1  # what the cluster holds is not refused for it
    assert limited.get(identifier) is not None


def test_the_hard_bounds_of_the_store_are_reached() -> None:
    full = Silences(RETENTION, random=Random(1), max_entries=2)
    state = silences()
    for _ in range(3):
        state.set(ask(), NOW)
    result = full.merge(state.encode_state(), NOW)
    assert (result.taken, result.refused_count) == (2, 1)
    assert result.refused == ["2 entries are stored already, which is the limit"]
    with pytest.raises(ValidationError, match="exceeded maximum number"):
        full.set(ask(), NOW)
    one = len(state.encode_state()) // 3
    tight = Silences(RETENTION, random=Random(1), max_total_bytes=2 * one + 1)
    assert tight.merge(state.encode_state(), NOW).refused_count == 1
    assert tight.total_bytes == 2 * one
    small = Silences(RETENTION, random=Random(1), max_entry_bytes=one - 1)
    assert small.merge(state.encode_state(), NOW).refused_count == 3
    with pytest.raises(ValidationError, match="exceeded maximum size"):
        small.set(ask(), NOW)


def test_many_refusals_are_counted_and_some_described() -> None:
    data = b"\x04\x0a\x02\x0a\x00" * 100  # silences without id
    result = silences().merge(data, NOW)
    assert (result.refused_count, len(result.refused)) == (100, 16)


def test_queries_and_their_order() -> None:
    state = silences()
    long, _ = state.set(ask('a="b",c="d"', end=NOW + 2 * HOUR), NOW)
    short, _ = state.set(ask(), NOW)
    second, _ = state.set(ask(start=NOW + 2 * HOUR, end=NOW + 3 * HOUR), NOW)
    first, _ = state.set(ask('a=~"b"', start=NOW + HOUR, end=NOW + 3 * HOUR), NOW)
    gone, _ = state.set(ask(), NOW)
    state.expire(gone, NOW)
    last_gone, _ = state.set(ask(), NOW)
    state.expire(last_gone, NOW + 1)
    now = NOW + SECOND
    assert [one.id for one in state.query(now)] == [short, long, first, second, last_gone, gone]
    assert [one.id for one in state.query(now, states=[SilenceState.PENDING])] == [first, second]
    assert state.query(now, states=[]) == []
    assert [one.id for one in state.query(now, ids=[gone, "nobody", long])] == [long, gone]
    assert [one.id for one in state.query(now, matchers=parse_matchers('c="d"'))] == [long]
    assert [one.id for one in state.query(now, matchers=parse_matchers('a=~"b"'))] == [first]


def test_gc_when_the_retention_is_over() -> None:
    state = silences()
    identifier, _ = state.set(ask(), NOW)
    due = NOW + HOUR + RETENTION
    assert state.gc(due - 1) == 0
    assert state.gc(due) == 1
    assert state.get(identifier) is None
    assert (state.encode_state(), state.total_bytes) == (b"", 0)
    assert state.mutes(Labels({"a": "b"}), NOW) == ()
    assert not state.is_muted(Labels({"a": "b"}), NOW)


def test_a_snapshot_keeps_what_is_expired_until_gc() -> None:
    state = silences()
    state.set(ask(), NOW)
    late = NOW + 1000 * HOUR
    again = silences()
    assert again.load(state.encode_state(), late).taken == 1
    assert silences().merge(state.encode_state(), late).expired == 1
    assert again.gc(late) == 1


def test_a_snapshot_that_does_not_decode_is_an_error() -> None:
    with pytest.raises(StateError):
        silences().load(b"\x05abc", NOW)


def test_a_state_in_slices_is_the_state() -> None:
    state = silences()
    for _ in range(50):
        state.set(ask(), NOW)
    sliced, whole = state.encode_slices(1000), state.encode_state()
    state.set(ask(), NOW)  # what comes later is not in it
    slices = list(sliced)
    assert len(slices) > 5
    assert b"".join(slices) == whole
    assert len(sliced) == len(whole)


def test_versions_of_a_silence_share_the_name_of_their_changes() -> None:
    state = silences()
    identifier, [created] = state.set(ask(), NOW)
    _, [changed] = state.set(ask(identifier=identifier, end=NOW + 2 * HOUR), NOW + SECOND)
    [ended] = state.expire(identifier, NOW + 2 * SECOND)
    _, [other] = state.set(ask(), NOW)
    assert {state.key_of(change) for change in (created, changed, ended)} == {identifier}
    assert state.key_of(other) != identifier


def test_whether_an_alert_is_muted_is_known_from_the_first_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands may mute each of thousands of alerts, and the metrics look at all."""
    state = silences()
    for _ in range(20):
        state.set(ask(), NOW)
    labels = Labels({"a": "b"})
    assert len(state.mutes(labels, NOW)) == 20
    asked: list[str] = []
    get = state._state.get

    def counted(name: str) -> Silence | None:
        asked.append(name)
        return get(name)

    monkeypatch.setattr(state._state, "get", counted)
    assert state.is_muted(labels, NOW)
    assert len(asked) == 1


def test_the_first_silences_of_an_alert_are_found_in_steps_past_those_that_have_not_begun() -> None:
    state = silences()
    for _ in range(300):
        state.set(ask(start=NOW + HOUR, end=NOW + 2 * HOUR), NOW)
    for _ in range(5):
        state.set(ask(), NOW)
    labels = Labels({"a": "b"})
    every = state.mutes(labels, NOW)
    steps = state.muting(labels, NOW, 3)
    taken = 0
    try:
        while True:
            next(steps)
            taken += 1
    except StopIteration as done:
        found = done.value
    assert found == every[:3]
    assert taken >= 3, "most of them were looked at"
    assert finish(state.muting(labels, NOW, 99)) == every
    assert finish(state.muting(Labels({"a": "c"}), NOW, 3)) == ()


def test_silences_that_expire_at_the_same_moment_are_collected_in_small_steps() -> None:
    """Whoever may silence can make 200,000 of them: to collect all at once took seconds."""
    state = silences()
    for number in range(300):
        state.set(ask(f'a="{number}"'), NOW)
    sizes = [len(state)]
    sizes += [len(state) for _ in state.collecting(NOW + HOUR + RETENTION)]
    assert len(state) == 0
    assert max(before - after for before, after in pairwise(sizes)) <= COLLECTED_IN_STEP


def test_what_changes_while_others_are_collected_stays() -> None:
    state = silences()
    names = [state.set(ask(f'a="{number}"'), NOW)[0] for number in range(200)]
    later = NOW + HOUR + RETENTION
    steps = state.collecting(later)
    next(steps)
    left = next(name for name in names if state.get(name) is not None)
    old = stored(state, left)
    renewed = codec.encode(replace(old, updated_at=later, ends_at=later + HOUR, expires_at=later + 2 * HOUR))
    assert state.apply([renewed], later)
    finish(steps)
    assert state.get(left) is not None
    assert len(state) == 1


def test_patterns_that_end_at_the_same_moment_rest_a_few_at_a_time() -> None:
    state = silences()
    for number in range(3 * AT_ONCE):
        state.set(ask(f'a=~"{number}."'), NOW)
    later = NOW + 2 * HOUR
    state.set(ask(start=later, end=later + HOUR), later)
    assert 0 < state.pattern_statistics().resting_silences <= 2 * AT_ONCE
    finish(state.letting_rest(later))
    assert state.pattern_statistics().resting_silences == 3 * AT_ONCE


ID = "3f0c8bd2-95a4-4e61-8d3e-0c9a7f6b1e42"


def test_a_silence_is_imported_under_its_own_id_once() -> None:
    state = silences()
    asked = ask(identifier=ID, start=NOW - HOUR, comment="as it was")
    staged = state.stage_import(asked, NOW)
    assert state.get(ID) is None, "nothing is changed before it is kept"
    state.apply(staged, NOW)
    silence = stored(state, ID)
    assert (silence.starts_at, silence.ends_at, silence.updated_at) == (NOW, NOW + HOUR, NOW)
    assert silence.encoded == staged[0].encoded == state.encode_state()
    assert state.mutes(Labels({"a": "b"}), NOW) == (ID,)
    # An export has milliseconds, and of an active silence the start is past in any case.
    exported = replace(silence, starts_at=NOW - NOW % (SECOND // 1000), encoded=b"")
    exported = replace(exported, ends_at=silence.ends_at - silence.ends_at % (SECOND // 1000))
    assert state.stage_import(exported, NOW + 5) == []
    assert state.stage_import(asked, NOW + 5) == []


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"matcher_sets": (parse_matchers('a="c"'),)}, "matchers"),
        ({"ends_at": NOW + 2 * HOUR}, "endsAt (2026-11-24T02:33:20.123Z here)"),
        ({"starts_at": NOW + HOUR // 2}, "startsAt (2026-11-24T01:33:20.123Z here)"),
        ({"created_by": "you"}, "createdBy"),
        ({"comment": "because"}, "comment"),
        ({"annotations": Labels({"a": "b"})}, "annotations"),
    ],
)
def test_another_silence_of_that_id_is_never_overwritten(changed: dict[str, object], named: str) -> None:
    state = silences()
    state.apply(state.stage_import(ask(identifier=ID), NOW), NOW)
    before = state.encode_state()
    with pytest.raises(ConflictError, match=f"silence {ID} exists with other content") as caught:
        state.stage_import(replace(ask(identifier=ID), **changed), NOW)
    assert str(caught.value).endswith(f": {named}")
    assert state.encode_state() == before


def test_an_import_brings_no_silence_back_that_was_ended() -> None:
    state = silences()
    state.apply(state.stage_import(ask(identifier=ID), NOW), NOW)
    state.expire(ID, NOW + SECOND)
    with pytest.raises(ConflictError, match=r"endsAt \("):
        state.stage_import(ask(identifier=ID), NOW + 2 * SECOND)
    assert state.mutes(Labels({"a": "b"}), NOW + 2 * SECOND) == ()


def test_who_signs_an_import_counts_as_its_creator() -> None:
    state = silences()
    for again in range(2):
        staged = state.stage_import(ask(identifier=ID), NOW, signed_by="ana")
        assert len(staged) == (0 if again else 1)
        state.apply(staged, NOW)
    assert stored(state, ID).created_by == "ana"
    other = silences()
    other.apply(other.stage_import(ask(identifier=ID), NOW), NOW)
    assert other.stage_import(ask(identifier=ID), NOW, signed_by="ana") == [], "it is here as it was exported"


def test_an_import_has_the_limits_of_a_new_silence() -> None:
    state = silences(SilenceLimits(max_silences=2, max_silence_size_bytes=200))
    with pytest.raises(ValidationError, match="silence exceeded maximum size"):
        state.stage_import(ask(identifier=ID, comment="x" * 200), NOW)
    with pytest.raises(ValidationError, match="invalid silence: "):
        state.stage_import(ask(identifier=ID, end=NOW - HOUR), NOW)
    with pytest.raises(ValidationError, match="exceeded maximum number of silences: 2"):
        state.stage_import(ask(identifier=ID), NOW, staged=2)
    state.apply(state.stage_import(ask(identifier=ID), NOW), NOW)
    state.set(ask(), NOW)
    assert state.stage_import(ask(identifier=ID), NOW) == [], "what is there is there"
