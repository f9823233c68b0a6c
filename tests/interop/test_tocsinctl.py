"""What tocsinctl has beyond amtool, on a cluster of ours and a real Alertmanager."""

import json
from pathlib import Path

import pytest

from tests.interop.conftest import Trio
from tests.support.api import matcher, prometheus_alert
from tests.support.eventually import eventually
from tocsin.cli.control import main

pytestmark = pytest.mark.interop


def run(trio: Trio, capfd: pytest.CaptureFixture[str], *line: str, status: int = 0) -> str:
    """Standard output of a command that asks the first node, with the others named."""
    capfd.readouterr()
    urls = [f"--alertmanager.url={trio.first.url}"]
    several = line[:2] in (("silence", "add"), ("cluster", "reachability"), ("cluster", "monitor"))
    if several or line[0] == "wait":
        urls += [f"--peer.url={node.url}" for node in (trio.theirs, trio.last)]
    found = main([*line, *urls])
    out, err = capfd.readouterr()
    assert found == status, out + err
    return out


def test_a_silence_is_on_every_node_when_the_command_ends(
    trio: Trio, capfd: pytest.CaptureFixture[str]
) -> None:
    made = run(trio, capfd, "silence", "add", "alertname=Waited", "-c", "c", "--wait").strip()
    assert all(node.api.silence(made) is not None for node in (trio.first, trio.theirs, trio.last))
    made = run(trio, capfd, "silence", "add", "alertname=Waited", "-c", "c", "--wait=1", "-o", "json")
    assert trio.first.api.silence(json.loads(made)["silenceID"]) is not None
    run(trio, capfd, "silence", "add", "alertname=Waited", "-c", "c", "--wait=3", status=1)


def test_show_extend_export_import(trio: Trio, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for node in (trio.first, trio.last):
        node.api.post_alerts(prometheus_alert("Shown", host="a"))
    made = trio.first.api.post_silence([matcher("alertname", "Shown")], hours=1)
    before = trio.first.api.silence(made)
    assert before is not None

    def shown() -> bool:
        found = json.loads(run(trio, capfd, "silence", "show", made, "-o", "json"))
        return [alert["labels"]["host"] for alert in found[0]["alerts"]] == ["a"]

    eventually(shown, "the silence shows what it silences")
    assert 'alertname="Shown"' in run(trio, capfd, "silence", "show", made)
    found = json.loads(run(trio, capfd, "silence", "extend", made, "-d", "2h", "-o", "json"))
    assert found[0]["endsAt"] > before["endsAt"]
    file = tmp_path / "silences.json"
    run(trio, capfd, "silence", "export", "alertname=Shown", "-f", str(file))
    assert [one["id"] for one in json.loads(file.read_text())] == [made]
    trio.first.api.expire_silence(made)
    run(trio, capfd, "silence", "extend", made, status=1)
    again = run(trio, capfd, "silence", "import", str(file)).strip()
    assert again != made
    assert trio.first.api.silence(again) is not None


def test_silences_of_another_cluster_keep_their_ids_on_every_node(
    trio: Trio, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made = trio.theirs.api.post_silence([matcher("alertname", "Kept")], hours=1)
    exported = trio.theirs.api.silence(made)
    assert exported is not None
    moved = {**exported, "id": "3f0c8bd2-95a4-4e61-8d3e-0c9a7f6b1e42"}  # As from a cluster that is gone.
    file = tmp_path / "silences.json"
    file.write_text(json.dumps([moved]))
    line = ("silence", "import", "--keep-ids", str(file))
    assert run(trio, capfd, *line).split() == [moved["id"]]

    def there() -> bool:
        return all(node.api.silence(moved["id"]) is not None for node in (trio.last, trio.theirs))

    eventually(there, "the other node and the Alertmanager have it under that id")
    found = trio.theirs.api.silence(moved["id"])
    assert found is not None
    for name in ("matchers", "endsAt", "createdBy", "comment"):
        assert found[name] == exported[name]
    done = json.loads(run(trio, capfd, *line, "-o", "json"))
    assert done == {"imported": [], "there": [moved["id"]], "refused": []}
    capfd.readouterr()
    assert main([*line, f"--alertmanager.url={trio.theirs.url}"]) == 1
    said = capfd.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert f"{trio.theirs.url} cannot keep ids, as an Alertmanager" in said[0]


def test_the_cluster(trio: Trio, capfd: pytest.CaptureFixture[str]) -> None:
    run(trio, capfd, "wait", "--ready", "--members=3", "--timeout=60s")
    members = json.loads(run(trio, capfd, "cluster", "members", "-o", "json"))
    assert [one["position"] for one in members] == [0, 1, 2]
    assert {one["address"] for one in members} == trio.first.api.peer_addresses()
    found = json.loads(run(trio, capfd, "cluster", "reachability", "-o", "json"))
    assert [(one["lacks"], one["problem"]) for one in found] == [([], "")] * 3
    assert run(trio, capfd, "cluster", "reachability").count("yes") == 9
    lines = run(trio, capfd, "cluster", "monitor", "--count=1", "-o", "json").splitlines()
    assert len({json.loads(line)["node"] for line in lines}) == 3

    def pinged() -> bool:
        found = json.loads(run(trio, capfd, "cluster", "rtt", "-o", "json"))
        return len([one for one in found if one["pings"] > 0 and one["mean"] >= 0]) == 2

    eventually(pinged, "both peers have answered a ping")
    run(trio, capfd, "wait", "--converged", "--timeout=60s")
    run(trio, capfd, "wait", "--members=7", "--timeout=300ms", status=1)


def test_what_a_new_configuration_would_change(
    trio: Trio, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    trio.first.api.post_alerts(prometheus_alert("Differs"))
    new = tmp_path / "new.yml"
    new.write_text("route: {receiver: nobody, group_by: [alertname]}\nreceivers: [{name: nobody}]\n")
    found = json.loads(run(trio, capfd, "config", "diff", str(new), "-o", "json"))
    change = next(one for one in found if one["labels"]["alertname"] == "Differs")
    assert change["old"][0].startswith("sink in the group")
    assert change["new"][0].startswith("nobody in the group")
    same = trio.first.config_file
    assert run(trio, capfd, "config", "diff", str(same), "--exit-code").startswith("0 of ")
