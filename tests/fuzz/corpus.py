"""The inputs that every run begins with: captured bytes of real peers, and ``corpus.jsonl``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tests.fuzz.alerting_targets import NOW, empty_log, empty_silences
from tests.fuzz.journal_targets import small_pages
from tests.support.vectors import vectors
from tocsin.errors import StateError
from tocsin.gossip.wire.packet import compressed
from tocsin.node.store.kinds import KINDS
from tocsin.node.store.rows import row_of

FILE = Path(__file__).with_name("corpus.jsonl")
_ROOT = Path(__file__).parent.parent.parent
_LONGEST = 4096


def seeds(name: str) -> list[bytes]:
    """All inputs for one target, each once."""
    return list(dict.fromkeys([*kept(name), *_captured(name)]))


def kept(name: str) -> list[bytes]:
    """Those of ``corpus.jsonl``: made by hand, found by the fuzzer, or a find that was repaired."""
    found = []
    for line in FILE.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["target"] == name:
            found.append(entry["text"].encode() if "text" in entry else bytes.fromhex(entry["hex"]))
    return found


def targets() -> set[str]:
    """The targets that ``corpus.jsonl`` has inputs for."""
    return {json.loads(line)["target"] for line in FILE.read_text(encoding="utf-8").splitlines()}


def keep(name: str, inputs: Iterable[bytes]) -> int:
    """Add inputs to ``corpus.jsonl``; how many were new."""
    known = set(kept(name))
    fresh = [data for data in inputs if data not in known]
    with FILE.open("a", encoding="utf-8") as file:
        for data in fresh:
            file.write(json.dumps({"target": name, **_shown(data)}, ensure_ascii=True) + "\n")
    return len(fresh)


def _shown(data: bytes) -> dict[str, str]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"hex": data.hex()}
    return {"text": text} if text.isprintable() or "\n" in text else {"hex": data.hex()}


def _captured(name: str) -> list[bytes]:
    """What real peers and the examples have for a target, and the journal made of it."""
    if name == "journal-row":
        return _rows()
    if name == "journal-file":
        return [b"\0" + small_pages(), b"\1", b"\3"]
    packets = [v.data for v in vectors("udp") if len(v.data) <= _LONGEST]
    streams = [v.data for v in vectors("tcp", "stream-reply") if len(v.data) <= _LONGEST]
    tls = [v.data for v in vectors("tls-packet", "tls-stream") if len(v.data) <= _LONGEST]
    found: dict[str, list[bytes]] = {
        "packet": packets,
        "message": packets,
        "layers": packets,
        "sealed-packet": packets[::4],
        "msgpack": [data[1:] for data in packets[::4]],
        "member": [bytes((len(data) & 0xFF, 3)) + data[:255] for data in packets[::4]],
        "stream": streams,
        "sealed-stream": streams[::4],
        "inflate": [compressed(data)[1:] for data in streams[::4]],
        "frames": tls,
        "silences": _files("silences"),
        "notification-log": _files("nflog"),
        "snapshots": _files("silences") + _files("nflog"),
        "config": [file.read_bytes() for file in (_ROOT / "examples").glob("*.yml")],
        "cluster-tls": [(_ROOT / "examples/tls.yml").read_bytes()],
    }
    return found.get(name, [])


def _rows() -> list[bytes]:
    found = []
    for number, kind in enumerate(("silences", "nflog")):
        for data in _files(kind):
            state = empty_silences().replicated if kind == "silences" else empty_log()
            try:
                state.load(data, NOW)
            except StateError:
                continue
            rows = [row_of(tuple(KINDS)[number], each, 0) for each in state]
            for row in [*rows[:2], *[each._replace(data=b"") for each in rows[:1]]]:
                head = bytes((number | 2, len(row.key), len(row.stamp), 0)) + row.expires.to_bytes(8, "big")
                found.append(head + row.key + row.stamp + row.data)
    return found


def _files(name: str) -> list[bytes]:
    return [v.data for v in vectors("file") if v.case.endswith(name)]
