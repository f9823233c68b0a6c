"""Samples of /metrics."""

import json
import socket
import threading

import pytest

from tocsin.cli.control import main
from tocsin.client.metrics import by_label

TEXT = """\
# HELP pings_count no sample
pings_count{peer="a"} 3
pings_count{type="x",peer="b \\"c\\""} 1.5e+01 1700000000000
pings_count_more{peer="z"} 1
pings_count rubbish
"""


def test_samples_by_a_label() -> None:
    assert by_label(TEXT, "pings_count", "peer") == {"a": 3.0, 'b \\"c\\"': 15.0}


def test_round_trips_of_peers(capsys: pytest.CaptureFixture[str]) -> None:
    name = "alertmanager_cluster_pings_seconds"
    body = f'{name}_sum{{peer="b"}} 0.5\n{name}_count{{peer="b"}} 100\n{name}_count{{peer="a"}} 0\n'.encode()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + body)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"--alertmanager.url=http://127.0.0.1:{server.getsockname()[1]}"
        assert main(["cluster", "rtt", url, "-o", "json"]) == 0
        assert json.loads(capsys.readouterr().out) == [{"peer": "b", "pings": 100, "mean": 0.005}]
        assert main(["cluster", "rtt", url]) == 0
        assert capsys.readouterr().out == "PEER  PINGS  MEAN\nb     100    5.00 ms\n"
        thread.join(20)
