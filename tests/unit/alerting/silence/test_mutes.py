"""Which alerts the silences mute: the index and the memory of look-ups give what trying all would give."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, MatchType, parse_matchers
from tocsin.alerting.protocol import delimit, read_delimited
from tocsin.alerting.protocol.silence_pb2 import MeshSilence
from tocsin.alerting.silence import Silence, Silences
from tocsin.alerting.silence.validate import check_matcher_sets
from tocsin.alerting.timestamp import SECOND
from tocsin.errors import ValidationError

NOW = 1795484000 * SECOND
HOUR = 3600 * SECOND


def silences(seed: int = 1) -> Silences:
    return Silences(120 * HOUR, random=Random(seed))


def add(state: Silences, text: str, *, start: int = NOW, end: int = NOW + HOUR, now: int = NOW) -> str:
    return state.set(Silence("", (parse_matchers(text),), start, end), now)[0]


def test_an_active_silence_mutes_and_others_do_not() -> None:
    state = silences()
    labels = Labels({"alertname": "Down", "job": "node"})
    assert state.mutes(labels, NOW) == ()
    active = add(state, 'alertname="Down",job!="web"')
    pending = add(state, 'job="node"', start=NOW + 2 * HOUR, end=NOW + 3 * HOUR)
    add(state, 'job="web"')
    assert state.mutes(labels, NOW) == (active,)
    assert state.mutes(labels, NOW + HOUR) == (active,)
    assert state.mutes(labels, NOW + HOUR + 1) == ()
    assert state.mutes(labels, NOW + 2 * HOUR) == (pending,)


def test_an_absent_label_is_matched_as_empty() -> None:
    state = silences()
    wanted = {add(state, 'team!="a"'), add(state, 'team!~"a.*"'), add(state, 'x="y",team=""')}
    assert set(state.mutes(Labels({"x": "y"}), NOW)) == wanted


def test_several_sets_are_alternatives() -> None:
    state = silences()
    sets = (parse_matchers('a="1"'), parse_matchers('b=~"2.*"'))
    identifier, _ = state.set(Silence("", sets, NOW, NOW + HOUR), NOW)
    assert state.mutes(Labels({"a": "1"}), NOW) == (identifier,)
    assert state.mutes(Labels({"b": "22"}), NOW) == (identifier,)
    assert state.mutes(Labels({"a": "1", "b": "2"}), NOW) == (identifier,)
    assert state.mutes(Labels({"a": "2", "b": "1"}), NOW) == ()


def test_a_change_of_the_end_needs_no_new_look_up() -> None:
    state = silences()
    labels = Labels({"a": "b"})
    identifier = add(state, 'a="b"')
    assert state.mutes(labels, NOW) == (identifier,)
    version = state.version
    state.expire(identifier, NOW + SECOND)
    assert state.version == version
    assert state.mutes(labels, NOW + 2 * SECOND) == ()


def test_a_peers_change_of_matchers_under_the_same_id_counts() -> None:
    state, peer = silences(), silences()
    identifier = add(state, 'a="1"')
    peer.merge(state.encode_state(), NOW)
    assert state.mutes(Labels({"a": "1"}), NOW) == (identifier,)
    assert state.mutes(Labels({"a": "2"}), NOW) == ()
    (message,) = read_delimited(peer.encode_state())
    changed = MeshSilence.FromString(bytes(message))
    changed.silence.matcher_sets[0].matchers[0].pattern = "2"
    changed.silence.updated_at.seconds += 1
    assert state.merge(delimit(changed.SerializeToString()), NOW).taken == 1
    assert state.mutes(Labels({"a": "1"}), NOW) == ()
    assert state.mutes(Labels({"a": "2"}), NOW) == (identifier,)


def test_memory_survives_gc_and_forgetting() -> None:
    state = silences()
    labels = Labels({"a": "b"})
    first = add(state, 'a="b"')
    assert state.mutes(labels, NOW) == (first,)
    later = NOW + 200 * HOUR
    for number in range(2000):
        add(state, f'a="b{number}"')
    assert state.gc(later) == 2001
    second = add(state, 'a="b"', start=later, end=later + HOUR, now=later)
    assert state.mutes(labels, later) == (second,)
    state.forget([labels.fingerprint, 1])
    assert state.mutes(labels, later) == (second,)


names = st.sampled_from(["a", "b", "alertname"])
values = st.sampled_from(["", "x", "y", "xy", "x|y", "x.*", ".+", ".*", "(?i)X", "y?", "\n"])
matchers = st.builds(Matcher, st.sampled_from(MatchType), names, values)
sets = st.lists(st.lists(matchers, min_size=1, max_size=3).map(tuple), min_size=1, max_size=2).map(tuple)
labels_strategy = st.dictionaries(names, st.sampled_from(["", "x", "y", "xy", "X", "\n"]), max_size=3).map(
    Labels
)


@given(st.lists(sets, max_size=60), st.lists(labels_strategy, min_size=1, max_size=5), st.integers(1, 30))
def test_the_index_and_the_memory_agree_with_trying_all(
    wanted: list[tuple[tuple[Matcher, ...], ...]], alerts: list[Labels], every: int
) -> None:
    state = silences()
    made: list[Silence] = []
    for number, matcher_sets in enumerate(wanted):
        try:
            check_matcher_sets(matcher_sets)
        except ValidationError:
            continue
        identifier, _ = state.set(Silence("", matcher_sets, NOW, NOW + HOUR), NOW)
        silence = state.get(identifier)
        assert silence is not None
        made.append(silence)
        if number % every == 0:
            for labels in alerts:  # fills the memory, so that later ones are added to it
                state.mutes(labels, NOW)
        if number % 7 == 6:
            state.expire(made.pop(0).id, NOW)
    for labels in alerts:
        expected = sorted(silence.id for silence in made if silence.matches(labels))
        assert list(state.mutes(labels, NOW + 1)) == expected
        assert list(state.mutes(labels, NOW + 1)) == expected
