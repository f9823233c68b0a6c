"""Every Alertmanager takes the tls.yml that ``tocsinctl certs issue`` writes."""

from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.node import NodeKind
from tocsin.cli.control import main

pytestmark = pytest.mark.interop


def test_the_written_tls_yml_is_taken_as_it_is(tmp_path: Path, theirs: NodeKind) -> None:
    folder = str(tmp_path / "made-by-hand")
    assert main(["certs", "init", "--dir", folder]) == 0
    for name in ("one", "two"):
        assert main(["certs", "issue", name, "--dir", folder, "--host", "127.0.0.1"]) == 0
    with Cluster(tmp_path / "cluster") as cluster:
        cluster.certificates = type(cluster.certificates)(Path(folder))
        for name in ("one", "two"):
            cluster.add(theirs, name, tls=cluster.certificates.node(name))
        cluster.wait_whole()
