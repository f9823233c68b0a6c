"""Large clusters: the pools hold, rumours reach everyone, the model is true, and its report is written."""

from __future__ import annotations

import xml.etree.ElementTree
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation import scale
from simulation.connections import Pools
from simulation.dissemination import Dissemination
from simulation.measure import Rates, quantile
from simulation.plot import Line, chart
from simulation.pooled import PooledCluster
from simulation.sizes import HANDSHAKE
from tests.support.amounts import many
from tests.support.certificates import CertificateAuthority
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.transport.tls.session import TLSSession
from tocsin.tls.identity import build_client_context, build_server_context

LIMIT = 16


def spread(cluster: Dissemination, count: int) -> list[float]:
    """How long single rumours took, ascending; all must reach everyone."""
    random = Random(7)
    cluster.run(20)
    rumours = []
    for _ in range(count):
        rumours.append(cluster.spread(random.randrange(cluster.size)))
        cluster.run(3)
    assert set(rumours) <= cluster.times.keys()
    return sorted(cluster.times.values())


@settings(max_examples=many(50))
@given(st.integers(2, 30), st.integers(1, 8), st.integers(0))
def test_pools_stay_within_their_limit_and_both_ends_agree(size: int, limit: int, seed: int) -> None:
    pools, random = Pools(size, limit), Random(seed)
    for _ in range(200):
        source, destination = random.sample(range(size), 2)
        known = destination in pools.peers(source)
        assert pools.use(source, destination) is not known
        assert pools.peers(source)[-1] == destination
    assert pools.most <= limit
    for node in range(size):
        assert pools.count(node) <= limit
        assert all(node in pools.peers(peer) for peer in pools.peers(node))


@pytest.mark.parametrize(("size", "rumours", "seconds"), [(100, 20, 1.0), (1000, 3, 1.2)])
def test_a_rumour_reaches_everyone_with_few_connections(size: int, rumours: int, seconds: float) -> None:
    for eager in (True, False):
        cluster = Dissemination(size, LIMIT, 5, GossipConfig(), biased=True, eager=eager)
        times = spread(cluster, rumours)
        assert cluster.pools.most <= LIMIT
        assert quantile(times, 0.5) < (seconds / 2 if eager else seconds)


def test_preference_for_open_connections_saves_dials_and_costs_no_time() -> None:
    preferred, uniform = (
        scale.simulate(200, 20, 3, biased=biased, eager=True).figures for biased in (True, False)
    )
    assert preferred.load is not None
    assert uniform.load is not None
    assert preferred.load.dials < uniform.load.dials / 10
    assert quantile(preferred.times, 0.5) <= quantile(uniform.times, 0.5)
    assert preferred.load_unfinished == uniform.load_unfinished == 0
    # An idle node dials for its probes, one a second, whatever it does about gossip.
    assert preferred.idle == uniform.idle
    assert 0.8 < preferred.idle.dials <= 1.05


def test_in_a_cluster_that_fits_the_pool_the_preference_changes_nothing() -> None:
    figures = [scale.simulate(LIMIT + 1, 5, 3, biased=biased, eager=True).figures for biased in (True, False)]
    assert figures[0].most_connections == LIMIT
    assert figures[0].idle.dials == figures[1].idle.dials == 0
    assert figures[0].load is not None
    assert figures[0].load.dials == 0


@pytest.mark.parametrize("biased", [True, False])
def test_the_model_agrees_with_real_endpoints(biased: bool) -> None:
    model, real = (
        scale.simulate(30, 40, 2, biased=biased, eager=True, real=real).figures for real in (False, True)
    )
    assert len(model.times) == len(real.times) == 40
    assert sum(model.times) == pytest.approx(sum(real.times), rel=0.25)
    assert_rates_agree(model.idle, real.idle)
    assert model.load is not None
    assert real.load is not None
    assert_rates_agree(model.load, real.load)


def assert_rates_agree(model: Rates, real: Rates) -> None:
    assert model.dials == pytest.approx(real.dials, rel=0.1)
    assert model.sent == pytest.approx(real.sent, rel=0.1)
    assert model.connections == pytest.approx(real.connections, rel=0.1)


def test_probing_over_a_small_pool_blames_nobody() -> None:
    cluster = PooledCluster(40, 8, 1, GossipConfig(), biased=True, eager=True)
    cluster.run(90)
    assert cluster.complete
    assert cluster.deaths == 0
    for node in cluster.nodes:
        assert node.endpoint.statistics.probes_failed == 0
        # Every member was visited, most of them twice.
        assert node.endpoint.statistics.probes_acked >= 80
    assert cluster.pools.most <= 8


def test_a_handshake_has_as_many_bytes_as_we_say() -> None:
    config = CertificateAuthority().cluster_config()
    client = TLSSession(
        build_client_context(config.client), 0.0, handshake_timeout=5.0, server_hostname="127.0.0.1"
    )
    server = TLSSession(build_server_context(config.server), 0.0, handshake_timeout=5.0)
    total = 0
    while True:
        there, back = client.data_to_send(), server.data_to_send()
        total += len(there) + len(back)
        if there:
            server.receive(there)
        if back:
            client.receive(back)
        if not there and not back:
            break
    assert client.tls is not None
    assert client.tls.version() == "TLSv1.3"
    assert total == pytest.approx(HANDSHAKE, rel=0.1)


def test_the_command_writes_the_report_and_its_pictures(tmp_path: Path) -> None:
    arguments = ["--sizes", "20", "40", "--checked", "20", "--seed", "4", "--write"]
    for folder in ("one", "two"):
        assert scale.main([*arguments, str(tmp_path / folder)]) == 0
    written = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(written) == 5
    for path in written:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()
    text = (tmp_path / "one" / "scale.md").read_text()
    for path in written:
        if path.suffix == ".svg":
            assert f"({path})" in text
            picture = xml.etree.ElementTree.parse(tmp_path / "one" / path).getroot()
            assert len(picture.findall("{*}circle")) >= 4
    assert "nan" not in text.lower()


def test_the_command_wants_clusters_larger_than_the_pool(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        scale.main(["--sizes", "16"])
    assert "larger --sizes" in capsys.readouterr().err


def test_a_chart_puts_points_where_they_belong_and_refuses_what_it_cannot_show() -> None:
    line = Line("a < b", [(10, 5), (1000, 10)])
    root = xml.etree.ElementTree.fromstring(chart("t", "x", "y", [line], x_log=True, y_log=False))
    first, last = root.findall("{*}circle")
    assert float(first.attrib["cx"]) < float(last.attrib["cx"])
    assert float(first.attrib["cy"]) > float(last.attrib["cy"])
    assert "a < b" in {text.text for text in root.findall("{*}text")}
    with pytest.raises(ValueError, match="nothing"):
        chart("t", "x", "y", [Line("empty", [])], x_log=True, y_log=False)
    with pytest.raises(ValueError, match="zero"):
        chart("t", "x", "y", [Line("zero", [(0, 1)])], x_log=True, y_log=False)


def test_quantiles_are_by_nearest_rank() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1.0)) == (50, 99, 100)
    assert quantile([3.0], 0.99) == 3.0
