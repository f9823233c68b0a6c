"""The same command lines, given to the real amtool and to ours, at the same node: the same bytes come out."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import alertmanager
from tests.support.amtool_cases import FILES, Case, cases
from tests.support.api import matcher
from tests.support.cluster import Cluster
from tests.support.eventually import eventually
from tests.support.node import Node, NodeKind
from tocsin.cli import amtool

pytestmark = pytest.mark.interop

OURS = (sys.executable, "-m", "tocsin.cli.amtool")
VARIES = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?"
)
LOGGED = re.compile(r"^time=\S+ level=.*\n", re.MULTILINE)
ALL = list(cases())


@pytest.fixture(scope="module", params=["ours", "alertmanager-0.33"])
def node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, ours: NodeKind
) -> Iterator[Node]:
    """A node with alerts and silences that stand still while the tables are printed."""
    kind = ours if request.param == "ours" else alertmanager.alertmanager("0.33")
    with Cluster(tmp_path_factory.mktemp("equality")) as cluster:
        node = cluster.add(kind, "only").wait_ready()
        far = {"startsAt": "2026-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
        note = {"summary": "a disk is full"}
        node.api.post_alerts(
            {"labels": {"alertname": "Seen", "node": "db1"}, "annotations": note, **far},
            {"labels": {"alertname": "Seen", "node": "db2", "quote": 'a"b\\c'}, **far},
            {"labels": {"alertname": "Covered", "node": "web1"}, "generatorURL": "http://g/x?a=b&c=d", **far},
            {"labels": {"node": "unnamed", "long": "x" * 50}, "annotations": {"summary": "<b>ü</b>"}, **far},
        )
        _silences(node)
        eventually(
            lambda: [one["status"]["state"] for one in node.api.alerts()].count("active") == 3,
            "three alerts are active",
        )
        yield node


def _silences(node: Node) -> None:
    post = node.api.post_silence
    post([matcher("alertname", "Covered")], comment="tab\there", created_by="me", hours=100)
    post([matcher("path", "/a.+", regex=True), matcher("env", "prod", equal=False)], hours=200)
    post([matcher("with space", 'quote"d\n')], comment="two\nlines <b> & ü", created_by="", hours=300)
    node.api.expire_silence(post([matcher("alertname", "Over")], comment="over"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def words_of(case: Case, node: Node, files: Path) -> list[str]:
    """The command line; each time with a silence of its own."""
    words = ["--no-version-check"] if case.line else []
    words += [f"--alertmanager.url={node.url}"] if case.url else []
    for word in case.line:
        fresh = node.api.post_silence([matcher("alertname", "Fresh")]) if word == "{silence}" else word
        words.append(fresh.replace("{files}", str(files)))
    return words


def masked(case: Case, out: bytes, err: bytes) -> tuple[str, str]:
    """Without what varies from run to run."""
    printed, complaint = out.decode(), err.decode()
    if case.changes:
        printed, complaint = VARIES.sub("<varies>", printed), VARIES.sub("<varies>", complaint)
    if case.masked:
        printed = re.sub(case.masked, "<masked>", printed)
    return printed, complaint


@contextlib.contextmanager
def standard_input(text: str, folder: Path) -> Iterator[None]:
    """Have this process read ``text``."""
    file = folder / "stdin"
    file.write_text(text)
    kept, known = os.dup(0), sys.stdin
    with file.open() as stream:
        os.dup2(stream.fileno(), 0)
        sys.stdin = stream
        try:
            yield
        finally:
            os.dup2(kept, 0)
            os.close(kept)
            sys.stdin = known


@pytest.mark.parametrize("case", ALL, ids=str)
def test_the_same_bytes(
    case: Case,
    node: Node,
    files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    done = subprocess.run(
        [alertmanager.amtool(), *words_of(case, node, files)],
        input=(case.stdin or "").encode(),
        capture_output=True,
        timeout=60,
        check=False,
        cwd=files,
        env={"HOME": str(files)},
    )
    monkeypatch.setenv("HOME", str(files))
    monkeypatch.chdir(files)
    words = words_of(case, node, files)
    capfdbinary.readouterr()
    with standard_input(case.stdin or "", tmp_path):
        status = amtool.main(words)
    captured = capfdbinary.readouterr()
    ours, theirs = masked(case, captured.out, captured.err), masked(case, done.stdout, done.stderr)
    assert ours[0] == LOGGED.sub("", theirs[0])
    assert status == done.returncode
    if not case.not_stderr:
        assert ours[1] == theirs[1]


def test_as_a_program_by_any_of_its_names(node: Node, tmp_path: Path) -> None:
    link = tmp_path / "amtool"
    link.write_text(
        f"#!{sys.executable}\nimport sys\nfrom tocsin.cli.control import main\nsys.exit(main())\n"
    )
    link.chmod(0o700)
    environment = {"HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    for line in (["alert"], ["silence", "expire", "foo"], ["bogus"]):
        found = [
            subprocess.run(
                [*program, "--no-version-check", f"--alertmanager.url={node.url}", *line],
                capture_output=True,
                timeout=60,
                check=False,
                env=environment,
            )
            for program in (
                [str(alertmanager.amtool())],
                [sys.executable, "-m", "tocsin.cli.amtool"],
                [sys.executable, "-m", "tocsin.cli.control", "amtool"],
                [str(link)],
            )
        ]
        assert len({(one.stdout, one.stderr, one.returncode) for one in found}) == 1, found


def test_there_are_many() -> None:
    assert len({str(case) + str(case.stdin) for case in ALL}) >= 200


def test_files_of_defaults(node: Node, tmp_path: Path, files: Path) -> None:
    """Debian's amtool reads the second of the two that ours reads in a home."""
    text = "output: json\nauthor: jack\ncomment_required: 'false'\nquiet: 'true'\n"
    (tmp_path / ".config" / "prometheus").mkdir(parents=True)
    (tmp_path / ".config" / "prometheus" / "amtool.yml").write_text(text)
    for line in (("alert",), ("silence",), ("-o", "simple", "alert"), ("silence", "--no-quiet")):
        both = [
            subprocess.run(
                [*program, f"--alertmanager.url={node.url}", "--no-version-check", *line],
                capture_output=True,
                timeout=60,
                check=False,
                env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
            )
            for program in ((str(alertmanager.amtool()),), OURS)
        ]
        assert both[0].stdout == both[1].stdout
        assert both[0].returncode == both[1].returncode == 0
    done = subprocess.run(
        [*OURS, f"--alertmanager.url={node.url}", "silence", "add", "Default=s"],
        capture_output=True,
        timeout=60,
        check=True,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
    )
    made = node.api.silence(done.stdout.decode().strip())
    assert made is not None
    assert made["createdBy"] == "jack"
    with contextlib.suppress(AssertionError):
        node.api.expire_silence(made["id"])
