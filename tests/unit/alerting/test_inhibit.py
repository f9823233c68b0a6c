"""Inhibition: a firing source mutes the targets that agree with it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tests.support.routing import T0, alert
from tocsin.alerting.alert import Alert
from tocsin.alerting.inhibit import Inhibitor, InhibitRule
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import matches_all, parse_matchers
from tocsin.alerting.timestamp import SECOND


def _rule(source: str, target: str, *equal: str) -> InhibitRule:
    return InhibitRule(
        source_matchers=parse_matchers(source), target_matchers=parse_matchers(target), equal=equal
    )


CRITICAL_MUTES_WARNING = _rule('severity="critical"', 'severity="warning"', "cluster")


def test_a_critical_alert_mutes_the_warnings_of_its_cluster() -> None:
    inhibitor = Inhibitor([CRITICAL_MUTES_WARNING])
    source = alert(alertname="Down", severity="critical", cluster="a")
    inhibitor.put(source)
    assert inhibitor.mutes(Labels({"severity": "warning", "cluster": "a"}), T0) == (
        source.labels.fingerprint_text,
    )
    assert inhibitor.mutes(Labels({"severity": "warning", "cluster": "b"}), T0) == ()
    assert inhibitor.mutes(source.labels, T0) == ()


def test_it_mutes_no_longer_once_it_is_resolved() -> None:
    inhibitor = Inhibitor([CRITICAL_MUTES_WARNING])
    warning = Labels({"severity": "warning", "cluster": "a"})
    inhibitor.put(alert(severity="critical", cluster="a", ends_at=T0 + SECOND))
    assert inhibitor.mutes(warning, T0 + SECOND - 1)
    assert not inhibitor.mutes(warning, T0 + SECOND)
    inhibitor.put(alert(severity="critical", cluster="a"))
    assert inhibitor.mutes(warning, T0 + 2 * SECOND), "it fires anew"


def test_a_question_about_another_time_changes_nothing() -> None:
    inhibitor = Inhibitor([CRITICAL_MUTES_WARNING])
    warning = Labels({"severity": "warning", "cluster": "a"})
    source = alert(severity="critical", cluster="a", ends_at=T0 + SECOND)
    inhibitor.put(source)
    assert inhibitor.would_mute(warning, T0) == (source.labels.fingerprint_text,)
    assert inhibitor.would_mute(warning, T0 + 10**9 * SECOND) == ()
    assert inhibitor.mutes(warning, T0), "it is a source still"
    assert len(inhibitor) == 1


def test_labels_absent_on_both_sides_agree() -> None:
    inhibitor = Inhibitor([CRITICAL_MUTES_WARNING])
    inhibitor.put(alert(severity="critical"))
    assert inhibitor.mutes(Labels({"severity": "warning"}), T0)
    assert not inhibitor.mutes(Labels({"severity": "warning", "cluster": "a"}), T0)


def test_alerts_that_match_both_sides_mute_neither_themselves_nor_each_other() -> None:
    inhibitor = Inhibitor([_rule('severity=~"critical|warning"', 'severity="warning"')])
    both, other = alert(n="1", severity="warning"), alert(n="2", severity="warning")
    inhibitor.put(both)
    inhibitor.put(other)
    assert not inhibitor.mutes(both.labels, T0)
    inhibitor.put(alert(severity="critical"))
    assert inhibitor.mutes(both.labels, T0), "but by one that is a source only they are muted"


def test_resolved_sources_are_forgotten() -> None:
    inhibitor = Inhibitor([CRITICAL_MUTES_WARNING, _rule('severity="critical"', 'severity="info"')])
    inhibitor.put(alert(severity="critical", n="1", ends_at=T0 + SECOND))
    inhibitor.put(alert(severity="critical", n="2"))
    assert len(inhibitor) == 4
    assert inhibitor.gc(T0 + SECOND) == 2
    assert len(inhibitor) == 2
    inhibitor.put(alert(severity="critical", n="1", ends_at=T0 + SECOND))
    assert inhibitor.mutes(Labels({"severity": "info"}), T0 + SECOND)


def test_what_is_remembered_of_label_sets_is_bounded() -> None:
    inhibitor = Inhibitor([CRITICAL_MUTES_WARNING], max_placements=2)
    for n in "12312":
        inhibitor.put(alert(severity="critical", n=n))
    assert len(inhibitor._placements) == 2
    assert len(inhibitor) == 3


_labels = st.dictionaries(st.sampled_from(["severity", "cluster", "n"]), st.sampled_from("abc"), min_size=1)
_rules = st.lists(
    st.builds(
        _rule,
        st.sampled_from(['severity="a"', 'severity=~"a|b"', 'n!="c"']),
        st.sampled_from(['severity="b"', 'severity!="a"', 'cluster=~".+"']),
    ),
    max_size=2,
) | st.just([_rule('severity=~"a|b"', 'severity=~"b|c"', "cluster")])


@settings(max_examples=many(200))
@given(_rules, st.lists(st.tuples(_labels, st.integers(0, 3))), _labels, st.integers(0, 3))
def test_it_says_what_the_definition_says(
    rules: list[InhibitRule], reports: list[tuple[dict[str, str], int]], target: dict[str, str], now: int
) -> None:
    inhibitor = Inhibitor(rules)
    latest: dict[int, Alert] = {}
    for labels, end in reports:
        report = Alert(Labels(labels), Labels(), T0, T0 + end)
        inhibitor.put(report)
        latest[report.fingerprint] = report
        inhibitor.mutes(Labels(target), T0 - 1)
    labels_ = Labels(target)
    expected = any(
        matches_all(rule.target_matchers, labels_)
        and matches_all(rule.source_matchers, source.labels)
        and all(source.labels.value(name) == labels_.value(name) for name in rule.equal)
        and not source.resolved_at(T0 + now)
        and not (
            matches_all(rule.source_matchers, labels_) and matches_all(rule.target_matchers, source.labels)
        )
        for rule in rules
        for source in latest.values()
    )
    assert bool(inhibitor.mutes(labels_, T0 + now)) is expected
    inhibitor.gc(T0 + now)
    assert bool(inhibitor.mutes(labels_, T0 + now)) is expected


def test_a_target_stays_muted_when_the_newer_of_two_sources_resolves() -> None:
    inhibitor = Inhibitor([CRITICAL_MUTES_WARNING])
    warning = Labels({"severity": "warning", "cluster": "a"})
    older = alert(alertname="Older", severity="critical", cluster="a")
    newer = alert(alertname="Newer", severity="critical", cluster="a", starts_at=T0 + SECOND)
    inhibitor.put(older)
    inhibitor.put(newer)
    inhibitor.put(alert(alertname="Newer", severity="critical", cluster="a", ends_at=T0 + 2 * SECOND))
    assert inhibitor.mutes(warning, T0 + 3 * SECOND) == (older.labels.fingerprint_text,)
    inhibitor.gc(T0 + 3 * SECOND)
    assert inhibitor.mutes(warning, T0 + 3 * SECOND) == (older.labels.fingerprint_text,)
