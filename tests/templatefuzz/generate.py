"""Templates and data by chance: mostly such as work, since an error at the first action shows little."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

WORDS: Final = (
    "a",
    "up",
    "DiskFull",
    "critical",
    "warning",
    "eu-1",
    "10.0.0.1:9100",
    "x=1&y=2",
    "a b",
    "",
    "0",
    "007",
    "1.5",
    "-3",
    "true",
    "<b>",
    "'q'",
    '"dq"',
    "back`tick",
    "tab\there",
    "line\nfeed",
    "größe",
    "ΟΔΟΣ",
    "straße",
    "ﬁnal",
    "日本語",
    "🔥",
    "a\u0301",
    "\u2028",
    "%d",
    "%",
    "{{",
    "}}",
    "a,b;c",
    "/path?q#f",
    "javascript:alert(1)",
    "https://e.org/a b?c=d&e=<f>",
    "don't stop",
    "x.y_z-w",
    "İstanbul",
    "\u00a0nb\u00a0",
    "null",
    "1e3",
    "[1]",
    "#f00",
)
NAMES: Final = (
    "alertname",
    "severity",
    "instance",
    "job",
    "cluster",
    "summary",
    "description",
    "missing",
    "Values",
    "zone",
    "num",
)
LAYOUTS: Final = (
    "2006-01-02T15:04:05Z07:00",
    "Mon Jan _2 15:04:05 MST 2006",
    "3:04PM",
    "02/01/06",
    "15:04:05.000",
    "Monday 2",
    "January",
    "-0700",
    "002",
    "05.999999",
    "__2",
    "stdlib",
    "",
)
ZONES: Final = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "",
    "Nowhere/At",
    "Australia/Lord_Howe",
)
PATTERNS: Final = (
    "a",
    "[a-z]+",
    "(\\w)(\\w*)",
    "^",
    "$",
    "",
    "x*",
    "(?i)disk",
    "\\s+",
    "[^a-z]",
    "(a|b)?",
    "\\d{1,2}",
    "(?P<n>.)",
    ".",
    "(",
    "a++",
    "\\bu",
    "[[:alpha:]]",
    "(?m)^",
    "(?s).*",
    "\\pL",
    "\\C",
    "é?",
)
REPLACEMENTS: Final = (
    "",
    "-",
    "$0",
    "$1",
    "${1}x",
    "$1x",
    "$2$1",
    "$$",
    "${n}",
    "$n",
    "${",
    "$9",
    "\\1",
    "<$0>",
)
VERBS: Final = (
    "%v",
    "%s",
    "%q",
    "%d",
    "%x",
    "%X",
    "%T",
    "%+v",
    "%#v",
    "%5s",
    "%-8v|",
    "%05d",
    "%.2f",
    "%e",
    "%g",
    "%t",
    "%c",
    "%U",
    "%o",
    "%b",
    "%#x",
    "%+d",
    "% x",
    "%08.3f",
    "%*d",
    "%[1]v %[1]T",
    "%!",
    "%z",
    "%.3s",
    "%6.2f",
    "%%",
    "%+q",
    "%#q",
    "%O",
    "%#o",
    "% d",
    "%x %x",
    "%v %v",
    "%G",
    "%10.3v|",
)


def quote(text: str) -> str:
    """A literal of Go's."""
    return '"' + "".join(_ESCAPES.get(char, char) for char in text) + '"'


_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


class Generator:
    """Makes one template after the other; the same seed makes the same."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self._scopes: list[list[str]] = []
        self._dots: list[str] = []
        self._defined: list[str] = []
        self._loops = 0

    def template(self, kind: str) -> str:
        """A field, with templates of its own perhaps."""
        self._scopes, self._dots, self._defined, self._loops = [[]], ["data"], [], 0
        parts = []
        for index in range(self.random.choice((0, 0, 0, 1, 2))):
            name = f"t{index}"
            self._dots.append(self.random.choice(("data", "alert", "string", "any")))
            self._scopes.append([])
            parts.append(f'{{{{ define "{name}" }}}}{self.block(2, kind)}{{{{ end }}}}')
            self._scopes.pop()
            self._dots.pop()
            self._defined.append(name)
        parts.append(self.block(3, kind))
        return "".join(parts)

    def chance(self, of: float) -> bool:
        return self.random.random() < of

    def pick(self, *choices: Callable[[int], str]) -> Callable[[int], str]:
        return self.random.choice(choices)

    # -- structure

    def block(self, depth: int, kind: str) -> str:
        count = self.random.choice((1, 1, 2, 2, 3, 4))
        return "".join(self.piece(depth, kind) for _ in range(count))

    def piece(self, depth: int, kind: str) -> str:
        roll = self.random.random()
        if roll < 0.22:
            return self.text(kind)
        if depth <= 0 or roll < 0.6:
            return self.action(self.pipeline(2))
        return self.random.choice((self.if_, self.range_, self.with_, self.declare, self.call, self.comment))(
            depth, kind
        )

    def action(self, inner: str) -> str:
        left = self.random.choice(("{{ ", "{{ ", "{{ ", "{{- ", "{{"))
        right = self.random.choice((" }}", " }}", " }}", " -}}", "}}"))
        return left + inner + right

    def text(self, kind: str) -> str:
        if kind == "html" and self.chance(0.8):
            return self.markup()
        return self.random.choice(
            (" ", "\n", "text ", "\t", " - ", "a\n  b", "{ } ", "ü", "|", " 1 < 2 & 3 ", "}")
        )

    def markup(self) -> str:
        inner = self.action(self.string(1))
        return self.random.choice(
            (
                lambda: f"<p>{inner}</p>",
                lambda: f'<a href="{inner}">x</a>',
                lambda: f'<a href="/x?q={inner}&r={inner}">',
                lambda: f"<a title='{inner}'>",
                lambda: f"<td width={inner}>",
                lambda: f'<p style="color: {inner}">',
                lambda: f'<p onclick="f({inner})">',
                lambda: f"<script>var x = {inner};</script>",
                lambda: f"<script>var y = '{inner}';</script>",
                lambda: f"<style>p {{ color: {inner} }}</style>",
                lambda: f"<textarea>{inner}</textarea>",
                lambda: f"<title>{inner}</title>",
                lambda: f"<!-- {inner} -->",
                lambda: f'<img src="{inner}">',
                lambda: f"<a href=#{inner}>",
                lambda: f'<a data-x="{inner}" {inner}>',
                lambda: "<br>",
                lambda: "<b>",
                lambda: "</b>",
                lambda: "<script>/* c */ var r = /a/; </script>",
                lambda: f"<{inner}>",
                lambda: f'<input value="{inner}" disabled>',
                lambda: f"<script>var t = `{inner}`;</script>",
                lambda: f'<a href="{inner}/{inner}">',
                lambda: f'<div srcset="{inner}">',
            )
        )()

    def _scoped(self, depth: int, kind: str) -> str:
        self._scopes.append([])
        made = self.block(depth - 1, kind)
        self._scopes.pop()
        return made

    def if_(self, depth: int, kind: str) -> str:
        made = self.action(f"if {self.condition(2)}") + self._scoped(depth, kind)
        for _ in range(self.random.choice((0, 0, 1, 2))):
            made += self.action(f"else if {self.condition(1)}") + self._scoped(depth, kind)
        if self.chance(0.5):
            made += self.action("else") + self._scoped(depth, kind)
        return made + self.action("end")

    def range_(self, depth: int, kind: str) -> str:
        what, dot = self.random.choice(
            (
                (".Alerts", "alert"),
                ("$.Alerts", "alert"),
                ("$.Alerts.Firing", "alert"),
                ("$.Alerts.Resolved", "alert"),
                ("$.CommonLabels", "string"),
                ("$.CommonLabels.SortedPairs", "pair"),
                ("$.GroupLabels.Names", "string"),
                (self.strings(1), "string"),
                (f"list {self.operands(2)}", "any"),
                (self.number(), "int"),
                ("$.CommonAnnotations.Values", "string"),
                (self.pipeline(1), "any"),
            )
        )
        names: list[str] = []
        if self.chance(0.4):
            names = [self._name() for _ in range(self.random.choice((1, 2)))]
            what = f"{', '.join(names)} := {what}"
        self._scopes.append(list(names))
        self._dots.append(dot)
        self._loops += 1
        body = self.block(depth - 1, kind)
        if self.chance(0.12):
            body += self.action(self.random.choice(("break", "continue")))
        self._loops -= 1
        self._dots.pop()
        self._scopes.pop()
        made = self.action(f"range {what}") + body
        if self.chance(0.3):
            made += self.action("else") + self._scoped(depth, kind)
        return made + self.action("end")

    def with_(self, depth: int, kind: str) -> str:
        what, dot = self.random.choice(
            (
                (self.kv(1), "kv"),
                (self.string(1), "string"),
                ("index $.Alerts 0", "alert"),
                ("$", "data"),
                (self.pipeline(1), "any"),
                (f'dict "k" {self.operand(1)}', "dict"),
            )
        )
        self._scopes.append([])
        if self.chance(0.3):
            name = self._name()
            self._scopes[-1].append(name)
            what = f"{name} := {what}"
        self._dots.append(dot)
        made = self.action(f"with {what}") + self.block(depth - 1, kind)
        self._dots.pop()
        self._scopes.pop()
        if self.chance(0.3):
            made += self.action("else") + self._scoped(depth, kind)
        return made + self.action("end")

    def declare(self, _depth: int, _kind: str) -> str:
        known = [name for scope in self._scopes for name in scope]
        if known and self.chance(0.4):
            return self.action(f"{self.random.choice(known)} = {self.pipeline(1)}")
        value = self.pipeline(1)
        name = self._name()
        self._scopes[-1].append(name)
        return self.action(f"{name} := {value}")

    def call(self, _depth: int, _kind: str) -> str:
        name = self.random.choice(self._defined) if self._defined and self.chance(0.95) else "nowhere"
        argument = self.random.choice((" .", " $", "", " " + self.operand(1)))
        return self.action(f'template "{name}"{argument}')

    def comment(self, _depth: int, _kind: str) -> str:
        return self.random.choice(("{{/* c */}}", "{{- /* c */ -}}", "{{ /* x */ }}", "{{- /* a\nb */}}"))

    def _name(self) -> str:
        return self.random.choice(("$a", "$b", "$c", "$x1"))

    # -- expressions

    def pipeline(self, depth: int) -> str:
        made = self.random.choice((self.string, self.string, self.any, self.integer, self.condition))(depth)
        while self.chance(0.25):
            made += (
                " | "
                + self.random.choice(
                    (
                        lambda: "toUpper",
                        lambda: "toLower",
                        lambda: "title",
                        lambda: "trimSpace",
                        lambda: "len",
                        lambda: "html",
                        lambda: "js",
                        lambda: "urlquery",
                        lambda: "toJson",
                        lambda: "print",
                        lambda: f"printf {quote(self.random.choice(VERBS))}",
                        lambda: "safeHtml",
                        lambda: f"join {quote(', ')}",
                        lambda: "urlUnescape",
                        lambda: f"match {quote(self.random.choice(PATTERNS))}",
                        lambda: "not",
                        lambda: "println",
                        lambda: f"eq {self.operand(0)}",
                        lambda: f"reReplaceAll {self.replacing()}",
                        lambda: "humanizeDuration",
                        lambda: f"index {self.operand(0)}",
                        lambda: "safeUrl",
                        lambda: f"date {quote(self.random.choice(LAYOUTS))}",
                    )
                )()
            )
        return made

    def operand(self, depth: int) -> str:
        made = self.random.choice((self.string, self.string, self.integer, self.any, self.condition))(depth)
        return made if " " not in made or made.startswith(("(", '"', "`")) else f"({made})"

    def operands(self, count: int) -> str:
        return " ".join(self.operand(1) for _ in range(self.random.randint(0, count)))

    def string(self, depth: int) -> str:
        roll = self.random.random()
        dot = self._dots[-1]
        if roll < 0.25 or depth <= 0:
            return self.literal() if self.chance(0.5) else self.field()
        if roll < 0.45:
            return self.field()
        if roll < 0.5 and dot in ("string", "any", "pair", "int"):
            return ".Name" if dot == "pair" else "."
        inner = self.operand(depth - 1)
        text = self._wrapped(self.string(depth - 1))
        return self.random.choice(
            (
                lambda: f"toUpper {text}",
                lambda: f"toLower {text}",
                lambda: f"title {text}",
                lambda: f"trimSpace {text}",
                lambda: f"join {self.literal()} {self._wrapped(self.strings(depth - 1))}",
                lambda: f"printf {quote(self.random.choice(VERBS))} {inner}",
                lambda: f"printf {self.two_verbs()} {inner} {self.operand(0)}",
                lambda: f"print {inner} {self.operand(0)}",
                lambda: f"toJson {inner}",
                lambda: f"html {inner}",
                lambda: f"js {inner}",
                lambda: f"urlquery {inner}",
                lambda: f"reReplaceAll {self.replacing()} {text}",
                lambda: f"slice {text} {self.number()}",
                lambda: f"slice {text} 0 {self.number()}",
                lambda: f"urlUnescape {text}",
                lambda: f"humanizeDuration {self.operand(0)}",
                lambda: self.time(),
                lambda: f"or {text} {inner}",
                lambda: f"and {text} {inner}",
                lambda: f"index {self._wrapped(self.kv(0))} {quote(self.random.choice(NAMES))}",
                lambda: f"safeHtml {text}",
                lambda: f"{self._wrapped(self.kv(0))}.{self.random.choice(NAMES)}",
                lambda: f"println {inner}",
                lambda: f"safeUrl {text}",
            )
        )()

    def replacing(self) -> str:
        """A pattern and what to put in its place. (Chance is asked in this order.)"""
        pattern = self.random.choice(PATTERNS)
        return f"{quote(pattern)} {quote(self.random.choice(REPLACEMENTS))}"

    def two_verbs(self) -> str:
        """A format for two values."""
        first = self.random.choice(VERBS)
        return quote(f"{first} {self.random.choice(VERBS)}")

    def _wrapped(self, made: str) -> str:
        return f"({made})" if " " in made and not made.startswith(('"', "`")) else made

    def literal(self) -> str:
        word = self.random.choice(WORDS)
        if self.chance(0.15) and "`" not in word and "\r" not in word:
            return f"`{word}`"
        return quote(word)

    def number(self) -> str:
        return self.random.choice(
            ("0", "1", "2", "3", "-1", "10", "0x1F", "1_000", "'a'", "07", "1e1", "255", "+2")
        )

    def field(self) -> str:
        dot = self._dots[-1]
        own: tuple[str, ...]
        name = self.random.choice(NAMES)
        whole = (
            "$.Status",
            "$.Receiver",
            "$.ExternalURL",
            f"$.CommonLabels.{name}",
            f"$.GroupLabels.{name}",
            f"$.CommonAnnotations.{name}",
            "$.NotificationReason",
        )
        if dot == "alert":
            own = (".Status", f".Labels.{name}", f".Annotations.{name}", ".GeneratorURL", ".Fingerprint")
        elif dot == "pair":
            own = (".Name", ".Value", ".")
        elif dot == "kv":
            own = (f".{name}", ".String")
        elif dot == "dict":
            own = (".k", ".none")
        elif dot == "data":
            own = (".Status", ".Receiver", f".CommonLabels.{name}", ".ExternalURL")
        else:
            own = (".",)
        known = tuple(name for scope in self._scopes for name in scope)
        every: list[str] = [*whole, *own, *own, *known, *known]
        return self.random.choice(every)

    def kv(self, _depth: int) -> str:
        dot = self._dots[-1]
        own: tuple[str, ...] = (".Labels", ".Annotations") if dot == "alert" else ()
        return self.random.choice(
            (
                "$.CommonLabels",
                "$.GroupLabels",
                "$.CommonAnnotations",
                "(index $.Alerts 0).Labels",
                "$.CommonLabels.Remove $.GroupLabels.Names",
                f"$.CommonLabels.Remove ({self.strings(0)})",
                *own,
                *own,
            )
        )

    def strings(self, _depth: int) -> str:
        return self.random.choice(
            (
                "$.CommonLabels.Names",
                "$.CommonLabels.Values",
                "$.GroupLabels.SortedPairs.Values",
                "$.CommonAnnotations.SortedPairs.Names",
                f"stringSlice {self.literal()} {self.literal()}",
                "stringSlice",
            )
        )

    def time(self) -> str:
        made = self.random.choice(("(index $.Alerts 0).StartsAt", "(index $.Alerts 0).EndsAt"))
        if self._dots[-1] == "alert":
            made = self.random.choice((".StartsAt", ".EndsAt"))
        if self.chance(0.3):
            made = f"({made} | tz {quote(self.random.choice(ZONES))})"
        n = self.random.choice(("1", "-3600000000000", "90000000000", "86400000000000"))
        layout = quote(self.random.choice(LAYOUTS))
        return self.random.choice(
            (
                lambda: made,
                lambda: f"{made}.Unix",
                lambda: f"{made}.Format {layout}",
                lambda: f"date {layout} {made}",
                lambda: f"{made}.Year",
                lambda: f"{made}.Month",
                lambda: f"{made}.Weekday",
                lambda: f"({made}.Add {n})",
                lambda: f"{made}.YearDay",
                lambda: f"{made}.IsZero",
                lambda: f"{made}.Hour",
                lambda: f"({made}.AddDate 0 1 {self.number()}).Format {layout}",
                lambda: f"{made}.UTC",
                lambda: f"({made}.Truncate {n})",
                lambda: f"({made}.Sub (index $.Alerts 0).StartsAt)",
                lambda: f"({made}.Round {n}).UnixMilli",
                lambda: f"{made}.Location",
                lambda: f"({made}.Sub (index $.Alerts 0).StartsAt).Seconds",
                lambda: f"{made}.Nanosecond",
                lambda: f"{made}.String",
            )
        )()

    def integer(self, depth: int) -> str:
        return self.random.choice(
            (
                lambda: self.number(),
                lambda: "len $.Alerts",
                lambda: "len .",
                lambda: f"len {self.operand(depth - 1)}" if depth > 0 else "7",
                lambda: "$.Alerts.Firing | len",
                lambda: "len $.CommonLabels",
                lambda: f"index {self.literal()} 0",
                lambda: "1.5",
                lambda: "-0.0",
                lambda: "2.5e10",
                lambda: "1e100",
            )
        )()

    def any(self, depth: int) -> str:
        if depth <= 0:
            return self.random.choice(
                (".", "$", "nil", "true", "$.Alerts", "$.CommonLabels", self.number(), "1i")
            )
        return self.random.choice(
            (
                lambda: self.kv(depth),
                lambda: self.strings(depth),
                lambda: "$.Alerts.Firing",
                lambda: "$.Alerts",
                lambda: ".",
                lambda: "$",
                lambda: f"list {self.operands(3)}",
                lambda: f"dict {self.literal()} {self.operand(0)}",
                lambda: f"dict {self.operands(4)}",
                lambda: self.time(),
                lambda: f"index {self.operand(0)} {self.operand(0)}",
                lambda: f"append (list {self.operands(2)}) {self.operand(0)}",
                lambda: "$.CommonLabels.SortedPairs",
                lambda: f"slice {self.operand(0)} 1",
                lambda: f"{self._wrapped(self.kv(0))}.SortedPairs",
                lambda: f"(index $.Alerts {self.random.choice((0, 0, 1, 5))}).Labels",
                lambda: f"safeHtml {self.literal()}",
                lambda: f"or {self.operand(0)} {self.operand(0)}",
                lambda: f"and {self.operand(0)} {self.operand(0)}",
                lambda: "$.Nope",
                lambda: f"(dict {quote('k')} {self.operand(0)}).k",
            )
        )()

    def condition(self, depth: int) -> str:
        left, right = self.operand(depth - 1 if depth > 0 else 0), self.operand(0)
        return self.random.choice(
            (
                lambda: f"eq {left} {right}",
                lambda: f"ne {left} {right}",
                lambda: f"lt {self.operand(0)} {right}",
                lambda: f"gt {left} {right}",
                lambda: f"ge {self._wrapped(self.integer(0))} {self.number()}",
                lambda: f"le {self.number()} {self.number()}",
                lambda: f"and {left} {right}",
                lambda: f"or {left} {right}",
                lambda: f"not {left}",
                lambda: 'eq .Status "firing"',
                lambda: left,
                lambda: f"match {quote(self.random.choice(PATTERNS))} {self._wrapped(self.string(0))}",
                lambda: "true",
                lambda: "false",
                lambda: f"eq {self._wrapped(self.string(0))} {self.literal()} {self.literal()}",
                lambda: f"gt (len $.Alerts) {self.number()}",
            )
        )()

    # -- data

    def data(self) -> dict[str, Any]:
        """Data as amtool reads it."""
        alerts = [self._alert() for _ in range(self.random.choice((0, 1, 1, 2, 3, 5)))]
        return {
            "receiver": self.random.choice(WORDS),
            "status": self.random.choice(("firing", "resolved")),
            "alerts": alerts,
            "notification_reason": "first notification",
            "groupLabels": self._labels(2),
            "commonLabels": self._labels(6),
            "commonAnnotations": self._labels(3),
            "externalURL": self.random.choice(("https://am.example.org", "", "http://h:1/p?a=b")),
        }

    def _labels(self, most: int) -> dict[str, str] | None:
        if self.chance(0.05):
            return None
        return {
            self.random.choice(NAMES): self.random.choice(WORDS) for _ in range(self.random.randint(0, most))
        }

    def _alert(self) -> dict[str, Any]:
        times = (
            "2026-03-14T09:26:53.589Z",
            "0001-01-01T00:00:00Z",
            "2026-10-25T02:30:00+02:00",
            "1999-12-31T23:59:59.999999999Z",
            "2026-06-01T00:00:00-08:00",
            "2024-02-29T12:00:00Z",
        )
        return {
            "status": self.random.choice(("firing", "resolved")),
            "labels": self._labels(5),
            "annotations": self._labels(3),
            "startsAt": self.random.choice(times),
            "endsAt": self.random.choice(times),
            "generatorURL": self.random.choice(
                ("https://p.example.org/graph?g0.expr=up+%3D%3D+0", "", "javascript:x")
            ),
            "fingerprint": f"{self.random.getrandbits(64):016x}",
        }
