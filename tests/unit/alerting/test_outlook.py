"""What would become of alerts under a configuration."""

from pathlib import Path

from tests.support.routing import T0, alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import parse_matchers
from tocsin.alerting.outlook import NamedSilence, Outlooks
from tocsin.node.config import parse_config

CONFIG = parse_config(
    """\
route:
  receiver: ops
  group_by: [alertname]
  routes:
    - matchers: [team="db"]
      receiver: db
      continue: true
      mute_time_intervals: [always]
    - matchers: [team="db"]
      receiver: audit
receivers: [{name: ops}, {name: db}, {name: audit}]
inhibit_rules:
  - source_matchers: [severity="page"]
    target_matchers: [severity="warn"]
    equal: [host]
time_intervals: [{name: always, time_intervals: [{years: ['1970:2100']}]}]
""",
    path=str(Path("a.yml")),
)


def test_routes_groups_and_intervals() -> None:
    outlook = Outlooks(CONFIG, []).of(Labels({"alertname": "Down", "team": "db"}), T0)
    assert [each.receiver for each in outlook.destinations] == ["db", "audit"]
    assert [outlook.muted(each) for each in outlook.destinations] == ["time interval", ""]
    assert outlook.notified == ("audit",)
    assert outlook.destinations[0].group == Labels({"alertname": "Down"})


def test_inhibition_comes_before_silences() -> None:
    source = alert(alertname="Down", severity="page", host="a")
    silence = NamedSilence("one", parse_matchers("severity=warn"))
    outlooks = Outlooks(CONFIG, [source], [silence])
    inhibited = outlooks.of(Labels({"severity": "warn", "host": "a"}), T0)
    assert inhibited.inhibited_by == (source.labels.fingerprint_text,)
    assert inhibited.silenced_by == ("one",)
    assert [inhibited.muted(each) for each in inhibited.destinations] == ["inhibited"]
    silenced = outlooks.of(Labels({"severity": "warn", "host": "b"}), T0)
    assert [silenced.muted(each) for each in silenced.destinations] == ["silenced"]
    assert silenced.notified == ()
