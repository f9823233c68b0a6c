"""The real amtool, as operators use it, on our node."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import alertmanager
from tests.support.cluster import Cluster
from tests.support.eventually import eventually
from tests.support.node import Node, NodeKind

pytestmark = pytest.mark.interop

EXAMPLES = sorted(
    path
    for path in (Path(__file__).resolve().parents[2] / "examples").glob("*.yml")
    if "tls_server_config" not in path.read_text()
)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, ours: NodeKind) -> Iterator[Node]:
    with Cluster(tmp_path_factory.mktemp("amtool")) as cluster:
        yield cluster.add(ours, "only").wait_ready()


def amtool(node: Node | None, *arguments: str | Path) -> str:
    """Its output; AssertionError with its complaint if it fails."""
    options = [f"--alertmanager.url={node.url}", "--no-version-check"] if node else []
    done = subprocess.run(
        [alertmanager.amtool(), *options, *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def test_alert_add_and_query(node: Node) -> None:
    amtool(node, "alert", "add", "AmtoolAlert", "severity=page", "--annotation=summary=by hand")
    found = json.loads(amtool(node, "alert", "query", "alertname=AmtoolAlert", "severity=~p.*", "-o", "json"))
    assert [alert["annotations"] for alert in found] == [{"summary": "by hand"}]
    assert "AmtoolAlert" in amtool(node, "alert", "query")
    assert "AmtoolAlert" in amtool(node, "-o", "extended", "alert", "query", "AmtoolAlert")
    assert "AmtoolAlert" not in amtool(node, "alert", "query", "severity!=page")


def test_silence_add_query_and_expire(node: Node) -> None:
    id_ = amtool(
        node,
        "silence",
        "add",
        "alertname=AmtoolSilence",
        'path=~"/a.+"',
        "--comment=c",
        "--author=me",
        "-d2h",
    ).strip()
    assert re.fullmatch(r"[0-9a-f-]{36}", id_)
    assert amtool(node, "silence", "query", "-q", "alertname=AmtoolSilence").split() == [id_]
    found = json.loads(amtool(node, "silence", "query", f"--id={id_}", "-o", "json"))
    assert [silence["createdBy"] for silence in found] == ["me"]
    amtool(node, "silence", "update", id_, "-d5h", "--comment=longer")
    assert "longer" in amtool(node, "silence", "query", f"--id={id_}")
    amtool(node, "silence", "expire", id_)
    assert amtool(node, "silence", "query", "-q", "alertname=AmtoolSilence") == ""
    assert id_ in amtool(node, "silence", "query", "-q", "--expired", "alertname=AmtoolSilence")


def test_a_silence_holds_an_alert_back(node: Node) -> None:
    amtool(node, "alert", "add", "AmtoolQuiet")
    id_ = amtool(node, "silence", "add", "alertname=AmtoolQuiet", "--comment=c").strip()

    def silenced() -> bool:
        found = json.loads(
            amtool(node, "alert", "query", "--silenced", "alertname=AmtoolQuiet", "-o", "json")
        )
        return [alert["status"]["silencedBy"] for alert in found] == [[id_]]

    eventually(silenced, "amtool shows it as silenced")


def test_silence_import(node: Node, tmp_path: Path) -> None:
    ids = [
        amtool(node, "silence", "add", f"alertname=Import{number}", "--comment=before").strip()
        for number in range(3)
    ]
    file = tmp_path / "silences.json"
    file.write_text(amtool(node, "silence", "query", "-o", "json"))
    amtool(node, "silence", "expire", *ids)
    amtool(node, "silence", "import", file)
    active = json.loads(amtool(node, "silence", "query", "-o", "json"))
    imported = [silence for silence in active if silence["matchers"][0]["value"].startswith("Import")]
    assert sorted(silence["matchers"][0]["value"] for silence in imported) == [
        "Import0",
        "Import1",
        "Import2",
    ]
    assert not set(ids) & {silence["id"] for silence in imported}


def test_cluster_show(node: Node) -> None:
    shown = amtool(node, "-o", "extended", "cluster", "show")
    assert node.cluster_address in shown
    assert node.api.cluster()["name"] in shown


def test_config_show_and_routes(node: Node) -> None:
    assert "receiver: sink" in amtool(node, "config", "show")
    assert "sink" in amtool(node, "config", "routes", "test", "severity=page")


def test_a_refused_silence_is_explained(node: Node) -> None:
    with pytest.raises(AssertionError, match="at least one matcher"):
        amtool(node, "silence", "add", "alertname=~.*", "--comment=everything")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_check_config_takes_our_examples(example: Path) -> None:
    assert "SUCCESS" in amtool(None, "check-config", example)


def test_there_are_examples() -> None:
    assert EXAMPLES
