"""The text of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tocsin import ALERTMANAGER_VERSION
from tocsin.config.features import FEATURES
from tools.compatibility import notes, ours
from tools.compatibility.acceptance import acceptance
from tools.compatibility.notes import Note

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs/compatibility.md"
UPSTREAM: Final = ROOT / "tests/vectors/upstream"
METRICS: Final = ROOT / "tests/unit/node/alertmanager-0.33.1-metrics.txt"
YES: Final = Note("yes", "")

_HEAD: Final = f"""\
# Compatibility with Alertmanager

Every flag, key, call and metric of Alertmanager {ALERTMANAGER_VERSION[:4]} (flags and metrics as the running
0.33.1 shows them, the rest from 0.34.0), and whether Tocsin has it. **yes**: with the same form, default and
meaning, as far as tests beside the real program see. **different**: it is there, and the difference is said.
**no**: refused in one line that says so. `python -m tools.compatibility` writes this page from the code and
from lists of what the real program has; tests hold those lists to the program itself.

"""


def lines(name: str) -> list[str]:
    """The lines of a list, comments left out."""
    return [line for line in (UPSTREAM / name).read_text().splitlines() if not line.startswith("#")]


def flags() -> Iterator[tuple[str, Note]]:
    """Every flag of the real program."""
    known = {**ours.flags(), "help": "switch", "version": "switch"}
    for line in lines("flags-0.33.1.txt"):
        name, form = line.split(" ", 1)
        if name not in known:
            yield name, Note("no", "unknown")
        elif known[name] != form:
            yield name, Note("different", f"{known[name]}, there {form}")
        else:
            yield name, notes.FLAGS.get(name, YES)


def features() -> Iterator[tuple[str, Note]]:
    """Every feature."""
    for name in FEATURES:
        yield name, notes.FEATURES.get(name, YES)


def keys() -> Iterator[tuple[str, str, Note]]:
    """Section, key, and whether it is there."""
    unserved = [f"{name}." for name in ours.LEAST if not ours.served(name)]
    for line in lines("keys-0.34.0.txt"):
        section, key = line.split(" ")
        if not ours.has_key(section, key):
            yield section, key, Note("no", "unknown")
        elif f"{section}.{key}.".removeprefix("(file).").startswith(tuple(unserved)):
            yield (
                section,
                key,
                Note("no", "read, and refused unless `--config.accept-unserved` is given: it does nothing"),
            )
        else:
            yield section, key, notes.KEYS.get(f"{section} {key}", YES)


def api() -> Iterator[tuple[str, Note]]:
    """Every operation, parameter, answer and field."""
    return ((line, notes.API.get(line, YES)) for line in lines("api-0.34.0.txt"))


def metrics() -> Iterator[tuple[str, str, Note]]:
    """Name, labels, and whether it is there."""
    for line in METRICS.read_text().splitlines():
        if not line.startswith("#"):
            name, _, *labels = line.split()
            yield name, ", ".join(labels), notes.METRICS.get(name, YES)


def page() -> str:
    """The whole page."""
    parts = [
        _HEAD,
        _counts(),
        "## Flags\n\n",
        *_table("flag", ((f"`--{n}`", note) for n, note in flags())),
    ]
    parts += ["\n", *_table("`--enable-feature`", ((f"`{name}`", note) for name, note in features()))]
    own = sorted(set(ours.flags()) - {name for name, _ in flags()})
    parts += ["\nTocsin's own: ", ", ".join(f"`--{name}`" for name in own), ".\n"]
    parts += ["\n## Configuration file\n\n", *_key_table()]
    parts += ["\n## API v2\n\n", *_api_table()]
    parts += ["\n## Metrics\n\n", "| metric | labels | | |\n| --- | --- | --- | --- |\n"]
    parts += [f"| `{n}` | {labels} | {note.verdict} | {note.why} |\n" for n, labels, note in metrics()]
    parts += [f"| {name} | | {note.verdict} | {note.why} |\n" for name, note in notes.FAMILIES]
    parts += ["\nTocsin's own begin with `tocsin_`: [metrics.md](metrics.md).\n", _ELSEWHERE, *acceptance()]
    return "".join(parts)


_ELSEWHERE: Final = """
## Elsewhere

| | | |
| --- | --- | --- |
| cluster protocol | yes | of 0.25 to 0.33, by TLS and in clear text: [wire-protocol.md](wire-protocol.md) |
| `silences` and `nflog` files | yes | read at each start, written at maintenance and stop |
| `/-/healthy`, `/-/ready`, `/-/reload`, SIGHUP | yes | |
| `/metrics` | yes | text and OpenMetrics, gzip |
| API v1 | yes | 410, as since 0.27 |
| paths such as `//api/v2/status` | different | answered at once, where Go redirects and a body may be lost |
| two `Host` headers, a length beside chunks | different | refused, where Go is lenient |
| a method that HTTP does not know, or in small letters | different | 400; upstream 405, or taken |
| templates | yes | [templates.md](templates.md) says where a bound or an error differs |
| receivers | yes | [receivers.md](receivers.md) has what differs, kind by kind |
| web interface | different | [pages of its own](pages.md); links of Alertmanager's page work |
| `/debug/pprof` | no | of Go's runtime |
| amtool | yes | of 0.33, which warns of the other version; `tocsinctl` has [its commands](tocsinctl.md) |
| null in lists of fields, actions, routes | different | refused or empty, where Go panics |
| a port by name in `--cluster.peer` | different | refused, where Go starts and reaches nobody |

## The official document, read strictly

`schemathesis run` over the OpenAPI document of 0.34.0 (phases examples, coverage, fuzzing and stateful,
seed 774411) finds 16 failures here, and the same 16 in the running 0.33.1. In each the document and
Alertmanager's own server differ; clients were written for the server, so nothing is done about them:

| failures | what the document says | what the server does, and this one too |
| --- | --- | --- |
| 4 | no answer 422 | go-openapi's answer to a missing body and to an identifier that is no UUID |
| 3 | answers are JSON | an empty answer (200 to alerts, 404 to silences) is no JSON, and has no type |
| 4 | a filter is any text | an empty one, `filter=` or `receiver_matchers=`, is no matcher: 400 |
| 1 | any two times | a silence has to start before it ends: 400 |
| 1 | the text of an error is a string | a body that is no JSON gets go-openapi's object of code and message |
| 1 | a silence always has `annotations` | left out when there are none |
| 1 | `expired` is true or false | go-openapi takes any other word for false |
| 1 | what was deleted is gone | a deleted silence is there, expired, until its retention ends |
"""


def _counts() -> str:
    counted = {
        "flags": [note for _, note in (*flags(), *features())],
        "keys": [note for *_, note in keys()],
        "API": [note for _, note in api()],
        "metrics": [note for *_, note in metrics()],
    }
    rows = ["| | yes | different | no |\n| --- | --- | --- | --- |\n"]
    for name, found in counted.items():
        by = Counter(note.verdict for note in found)
        rows.append(f"| {name} | {by['yes']} | {by['different']} | {by['no']} |\n")
    return "".join([*rows, "\n"])


def _table(head: str, rows: Iterable[tuple[str, Note]]) -> Iterator[str]:
    yield f"| {head} | | |\n| --- | --- | --- |\n"
    for name, note in rows:
        yield f"| {name} | {note.verdict} | {note.why} |\n"


def _key_table() -> Iterator[str]:
    """One row a section: what is the same, then what is not."""
    found: dict[str, list[tuple[str, Note]]] = {}
    for section, key, note in keys():
        found.setdefault(section, []).append((key, note))
    yield "What is in `http_config` and `tls_config` is listed once.\n\n"
    yield "| section | yes | different or no |\n| --- | --- | --- |\n"
    for section, listed in found.items():
        same = ", ".join(f"`{key}`" for key, note in listed if note is YES)
        by_note: dict[Note, list[str]] = {}
        for key, note in listed:
            if note is not YES:
                by_note.setdefault(note, []).append(f"`{key}`")
        rest = "; ".join(f"{', '.join(k)}: **{note.verdict}**, {note.why}" for note, k in by_note.items())
        yield f"| `{section}` | {same} | {rest} |\n"


def _api_table() -> Iterator[str]:
    yield "| call | yes | different or no |\n| --- | --- | --- |\n"
    found: dict[str, list[tuple[str, Note]]] = {}
    for line, note in api():
        first, second, what, name = line.split(" ")
        call = f"object {second}" if first == "field" else f"{first} /api/v2{second}"
        shown = f"`{name}`" if first == "field" else f"{what} `{name}`"
        found.setdefault(call, []).append((shown, note))
    for call, listed in found.items():
        same = ", ".join(shown for shown, note in listed if note is YES)
        rest = "; ".join(
            f"{shown}: **{note.verdict}**, {note.why}" for shown, note in listed if note is not YES
        )
        yield f"| {call} | {same} | {rest} |\n"
