"""Command lines that are given to amtool and to ours, at the same node: what they print must be the same.

``{silence}`` stands for the id of a silence that is made for that run, ``{files}`` for the folder of
:data:`FILES`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """``changes``: it changes the node, so ids and times differ from run to run and are masked.

    ``not_stderr``: why what is said on standard error differs on purpose; empty: it must not.
    """

    line: tuple[str, ...]
    stdin: str | None = None
    changes: bool = False
    not_stderr: str = ""
    url: bool = True
    masked: str = ""
    """A regular expression; of what it matches in standard output only that it is there counts."""

    def __str__(self) -> str:
        return " ".join(self.line) or "(nothing)"


FILES = {
    "good.yml": """\
route:
  receiver: default
  group_by: [alertname]
  routes:
    - matchers: [severity="page", team=~"a|b"]
      receiver: pager
      continue: true
      routes:
        - matchers: ['db="x"']
          receiver: db
        - matchers: ['"with space"="y"', 'quote="a\\"b"']
    - match: {severity: page}
      match_re: {node: "n.*"}
      receiver: pager2
receivers:
  - name: default
  - name: pager
  - name: pager2
  - name: db
inhibit_rules:
  - source_matchers: [severity="page"]
    target_matchers: [severity="warn"]
    equal: [cluster]
""",
    "templates.yml": "route: {receiver: a}\nreceivers: [{name: a}]\ntemplates: ['*.tmpl']\n",
    "no-receiver.yml": "route: {receiver: a}\nreceivers: [{name: b}]\n",
    "unknown-key.yml": "route: {receiver: a}\nreceivers: [{name: a, foo: 1}]\n",
    "empty.yml": "",
    "broken.yml": "{",
    "http.yml": "basic_auth: {username: a, password: b}\n",
    "arguments": "-o\njson\n",
    "data.json": '{"receiver":"r","status":"firing","alerts":[{"labels":{"a":"<b>"}}],"externalURL":"http://x"}',
    "list.json": "[]",
    "a.tmpl": '{{ define "x" }}hi{{ end }}',
    "silence.json": '[{"comment":"c","createdBy":"x","startsAt":"2026-01-01T00:00:00Z",'
    '"endsAt":"2099-01-01T00:00:00Z","matchers":[{"name":"imported","value":"b","isRegex":false}]}]',
    "bad-silences.json": '[{"comment":"c","createdBy":"x","startsAt":"2026-01-01T00:00:00Z",'
    '"endsAt":"2099-01-01T00:00:00Z","matchers":[{"name":"imported","value":"b","isRegex":false}]},'
    '{},{"matchers":[]}]',
}

_NAMED = "an error names its place in the file, and the fix"
_FAILED = r"FAILED: .*(?:\n  .*)*"

SILENCE_TABLES = (
    *(("-o", output, "silence") for output in ("simple", "extended", "json")),
    ("silence", "-q"),
    ("silence", "query", "--quiet", "alertname=Covered"),
    ("silence", "query", "Covered"),
    ("silence", "query", "--created-by=me"),
    ("silence", "query", "--created-by", "nobody"),
    ("silence", "query", "--id=00000000-0000-4000-8000-000000000000"),
    ("silence", "query", "--id", "nothing"),
    ("silence", "query", "--expired"),
    ("silence", "query", "--expired", "--within=2h"),
    ("silence", "query", "--within=1ns"),
    ("silence", "query", "--within", "2000000h"),
    ("silence", "query", "--within=-5h"),
    ("silence", "query", 'path=~"/a.+"', "-o", "extended"),
    ("silence", "query", "nothing=here"),
    ("silence", "--no-expired"),
    ("--date.format=2006-01-02T15:04:05Z07:00", "silence"),
    ("--date.format", "Mon Jan _2 15:04:05.000 MST 2006", "silence", "query"),
    ("--date.format=", "silence"),
)
ALERT_TABLES = (
    *(("-o", output, "alert") for output in ("simple", "extended", "json")),
    ("alert", "--output=json"),
    ("alert", "query"),
    ("alert", "query", "Seen"),
    ("alert", "Seen", "node=db1"),
    ("alert", "query", "alertname=Seen", "node!~x.*"),
    ("alert", "query", 'node=~"db.+"', "-oextended"),
    ("alert", "query", "-s"),
    ("alert", "query", "-is"),
    ("alert", "query", "--silenced", "--inhibited", "--active", "--unprocessed", "-o", "extended"),
    ("alert", "query", "-a", "-u"),
    ("alert", "query", "--no-silenced"),
    ("alert", "query", "-rsink"),
    ("alert", "query", "--receiver=s.*k"),
    ("alert", "query", "-r", "nobody"),
    ("alert", "query", "--", "-x"),
    ("alert", "query", "-"),
    ("alert", "query", ""),
    ("alert", "query", "x=~("),
    ("alert", "query", 'ünï="cödé"'),
    ("@{files}/arguments", "alert"),
    ("alert", "@{files}/arguments"),
    ("--date.format=15:04", "alert", "-o", "extended"),
    ("-v", "alert"),
)
QUERIED = tuple(
    ("-o", output, *line)
    for output in ("simple", "extended", "json")
    for line in (
        ("silence", "query", "--within=1d"),
        ("silence", "query", "--within=1w", "alertname=Covered"),
        ("silence", "query", "--created-by=me", "-q"),
        ("silence", "query", "--id=11111111-1111-1111-1111-111111111111"),
        ("silence", "query", "--expired", "--within=1h"),
        ("alert", "query", "-asiu"),
        ("alert", "query", 'quote="a\\"b\\\\c"'),
        ("alert", "query", "{alertname=Seen}"),
        ("alert", "query", '"alertname"=Seen'),
        ("alert", "query", "alertname = Seen"),
        ("alert", "query", "=x"),
        ("alert", "query", "1x=y"),
        ("--timeout=1d", "alert", "query", "node=db1"),
    )
)
OTHER_TABLES = (
    ("cluster",),
    ("cluster", "show"),
    ("-o", "extended", "cluster", "show"),
    ("cluster", "show", "-o", "json"),
    ("config",),
    ("config", "show"),
    ("config", "show", "-o", "json"),
    ("config", "routes"),
    ("config", "routes", "show"),
    ("config", "routes", "test"),
    ("config", "routes", "test", "severity=page", "--tree"),
    ("config", "routes", "test", "severity=page", "--verify.receivers=sink"),
    ("config", "routes", "test", "a=b", "--verify.receivers=nobody"),
)
OFFLINE = (
    ("config", "routes", "--config.file={files}/good.yml"),
    ("config", "routes", "show", "--config.file", "{files}/good.yml"),
    ("config", "routes", "test", "--config.file={files}/good.yml", "severity=page", "team=a", "--tree"),
    ("config", "routes", "test", "--config.file={files}/good.yml", "severity=page", "team=b", "db=x"),
    ("config", "routes", "test", "--config.file={files}/good.yml", "severity=page", "team=a"),
    ("config", "routes", "--config.file={files}/good.yml", "test", "severity=page", "node=n1"),
    ("config", "routes", "test", "--config.file={files}/good.yml", "severity=none", "--tree"),
    ("config", "routes", "test", "--config.file={files}/good.yml", "--verify.receivers=default"),
    ("check-config", "{files}/good.yml"),
    ("check-config", "{files}/templates.yml"),
    ("check-config", "{files}/good.yml", "{files}/templates.yml"),
)
RENDERED = (
    "plain",
    '{{ template "x" }} {{ .Status }} {{ range .Alerts }}{{ .Labels.Values }}{{ end }}',
    "{{ .Receiver | toUpper }} <b> {{ len .Alerts.Firing }}",
    "{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}",
)
REFUSED = (
    ("bogus",),
    ("alert", "query", "--bogus"),
    ("alert", "query", "-z"),
    ("-o", "foo", "alert", "query"),
    ("-o=json", "alert"),
    ("--output=json", "--output=simple", "alert"),
    ("-v", "-v", "alert"),
    ("--no-output", "alert"),
    ("--version=x",),
    ("--timeout=foo", "alert"),
    ("--timeout", "alert"),
    ("--within=5h", "silence", "query"),
    ("template",),
    ("template", "render", "--template.text=x"),
    ("template", "render", "--template.glob=x", "--template.text=x", "--template.type=foo"),
    ("template", "render", "--template.glob=x", "--template.text=x", "--template.data=nope.json"),
    ("config", "bogus"),
    ("cluster", "show", "x"),
    ("check-config", "nope.yml"),
    ("check-config", "/"),
    ("check-config", ""),
    ("check-config", "{files}"),
    ("@",),
    ("--timeout=1ns", "alert"),
    ("--timeout=1y", "alert"),
    ("silence", "expire", ""),
    ("silence", "add", "x=y", "-c", "c", "-d", "1.5h"),
    ("alert", "add", "1=b"),
    ("alert", "add", "a=b", "--annotation="),
    ("config", "routes", "test", "=x"),
    ("--alertmanager.url=http://127.0.0.1:1", "config", "routes"),
    ("--alertmanager.url=http://127.0.0.1:1", "config", "routes", "test", "a=b"),
    ("config", "routes", "--config.file=/nonexistent"),
    ("config", "routes", "test", "sev"),
    ("config", "routes", "test", "sev!=a"),
    ("-",),
    ("silence", "add"),
    ("silence", "add", "x"),
    ("silence", "add", "x", "-c", ""),
    ("silence", "add", "x", "-c", "c", "-d", "0s"),
    ("silence", "add", "x", "-c", "c", "-d", "foo"),
    ("silence", "add", "x", "-c", "c", "-d1h1d"),
    ("silence", "add", "x", "-c", "c", "--start=foo"),
    ("silence", "add", "x", "-c", "c", "--end=2026-13-01T00:00:00Z"),
    ("silence", "add", "x=y", "-c", "c", "--start=2027-01-01T00:00:00Z", "--end=2026-12-31T00:00:00Z"),
    ("silence", "add", 'a=~".*"', "-c", "c"),
    ("silence", "add", "x=y", "a", "-c", "c"),
    ("silence", "add", "x=y", "-cc", "--annotation=foo"),
    ("silence", "add", "x=y", "-cc", "--annotation=foo!=bar"),
    ("silence", "expire"),
    ("silence", "expire", "foo"),
    ("silence", "expire", "11111111-1111-1111-1111-111111111111"),
    ("silence", "update"),
    ("silence", "update", "foo", "-c", "x"),
    ("silence", "update", "11111111-1111-1111-1111-111111111111"),
    ("silence", "update", "-q", "11111111-1111-1111-1111-111111111111"),
    ("silence", "query", "--within=foo"),
    ("silence", "query", "--within"),
    ("silence", "query", "--within", "-5h"),
    ("silence", "query", "x=y", "z"),
    ("silence", "import", "/nonexistent"),
    ("silence", "import", "/"),
    ("silence", "import", "a", "b"),
    ("silence", "import", "-w", "x", "{files}/list.json"),
    ("alert", "query", "x=y", "z"),
    ("alert", "query", "-r"),
    ("alert", "query", "-r("),
    ("alert", "add"),
    ("alert", "add", "a!=b"),
    ("alert", "add", "a", "b"),
    ("alert", "add", "x", "--annotation=y"),
    ("alert", "add", "x", "--start=2026"),
    ("alert", "add", "x", "--generator-url=::"),
    ("alert", "add", "x", "--start=2028-01-01T00:00:00Z", "--end=2027-01-01T00:00:00Z"),
    ("--alertmanager.url=http://127.0.0.1:1", "alert"),
    ("--alertmanager.url=http://127.0.0.1:1", "silence", "add", "x=y", "-cc"),
    ("--alertmanager.url=foo://127.0.0.1:1", "alert"),
)
CHANGING = (
    ("alert", "add", "Added", "node=x", "--annotation=summary=short"),
    ("alert", "add", "alertname=Added", "--generator-url=http://x/y", "--end=2099-01-01T00:00:00Z"),
    ("silence", "add", "alertname=Made", "-c", "why", "-d", "2h"),
    ("silence", "add", "Made", 'path=~"/a.+"', "env!=prod", "--comment=why", "--author=me", "-d2h"),
    ("silence", "add", "Made", "-cwhy", "--start=2090-01-01T00:00:00+02:00", "--end=2099-01-01T00:00:00Z"),
    ("silence", "add", "Made", "-cwhy", "--annotation=ticket=1"),
    ("silence", "add", "Made", "--no-require-comment"),
    ("silence", "add", "{x=y}", "-cwhy"),
    ("silence", "expire", "{silence}"),
    ("silence", "expire", "{silence}", "{silence}"),
    ("silence", "update", "{silence}", "-d", "2h", "-c", "new"),
    ("silence", "update", "{silence}"),
    ("silence", "update", "{silence}", "-o", "extended", "--end=2098-01-01T00:00:00Z"),
    ("silence", "update", "{silence}", "-d", "0s"),
    ("silence", "update", "{silence}", "-d", "x"),
    ("silence", "update", "{silence}", "--start=x"),
    ("silence", "update", "{silence}", "--end=2001-01-01T00:00:00Z"),
    ("silence", "import", "{files}/silence.json"),
    ("silence", "import", "--force", "{files}/silence.json"),
    ("silence", "import", "-w1", "{files}/bad-silences.json"),
    ("silence", "import", "{files}/list.json"),
)


def cases() -> Iterator[Case]:
    """All of them."""
    for line in (*SILENCE_TABLES, *ALERT_TABLES, *QUERIED, *OTHER_TABLES):
        yield Case(line)
    for line in OFFLINE:
        yield Case(line, url=False, not_stderr="Debian's amtool warns that its default URL is not used")
    for text in RENDERED:
        for kind in ("text", "html"):
            line = ("template", "render", "--template.glob={files}/*.tmpl", f"--template.text={text}")
            yield Case((*line, f"--template.type={kind}"), url=False)
            yield Case((*line, f"--template.type={kind}", "--template.data={files}/data.json"), url=False)
    for line in REFUSED:
        yield Case(line, url=not any(word.startswith("--alertmanager.url") for word in line))
    for line in CHANGING:
        yield Case(line, changes=True)
    yield Case(("silence", "import"), stdin=FILES["silence.json"], changes=True)
    yield Case(("silence", "import"), stdin="", changes=True)
    yield Case(("silence", "import"), stdin="route:", not_stderr="what is not JSON is told otherwise")
    yield Case(("check-config",), stdin=FILES["good.yml"], url=False)
    for file in ("no-receiver", "unknown-key", "empty", "broken"):
        yield Case(("check-config", f"{{files}}/{file}.yml"), url=False, masked=_FAILED)
    yield Case(("check-config", "{files}/good.yml", "{files}/empty.yml"), url=False, masked=_FAILED)
    for line in (
        ("config", "routes", "--config.file={files}/no-receiver.yml"),
        ("config", "routes", "test", "--config.file={files}/unknown-key.yml"),
        ("template", "render", "--template.glob={files}/*.tmpl", "--template.text={{.foo"),
        ("template", "render", "--template.glob={files}/*.tmpl", '--template.text={{ template "y" }}'),
        ("template", "render", "--template.glob=[", "--template.text=x"),
        ("template", "render", "--template.glob=x", "--template.text=x", "--template.data={files}/list.json"),
    ):
        yield Case(line, url=False, not_stderr=_NAMED)
    for url in ("http://[", "127.0.0.1:1"):
        yield Case(
            ("alert", f"--alertmanager.url={url}"), url=False, not_stderr="ours says what is wrong with it"
        )
    yield Case(("--http.config.file={files}/http.yml", "alert", "Seen"))
    yield Case(("--http.config.file=nope", "alert"), not_stderr="a file that is missing is called missing")
    yield Case(("--enable-feature=foo", "alert"))
    yield Case(("@{files}/nope", "alert"))
    yield Case(("template", "render"), url=False, not_stderr="amtool names what is missing in any order")
    for line in ((), ("help", "alert"), ("silence", "add", "--help"), ("--help-long",)):
        yield Case(line, url=False, masked="(?s)usage: .*")  # The texts are our own.
    logged = "amtool logs to standard output, ours to standard error"
    yield Case(("alert", "query", "foo=~bar baz"), not_stderr=logged)
    yield Case(("silence", "add", "x=y,z=w", "-cc"), not_stderr=logged, changes=True)
    yield Case(("alert", "add", "foo=a\\b"), not_stderr=logged, changes=True)
    yield Case(("--enable-feature=utf8-strict-mode", "alert", "query", "node=db1"), not_stderr=logged)
    yield Case(("--enable-feature=classic-mode", "alert", "query", "node=db1"), not_stderr=logged)
