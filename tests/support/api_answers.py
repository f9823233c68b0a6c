"""The recorded answers of the real Alertmanager to the scenes of ``api_requests``, and how to record them.

``python -m tests.support.api_answers`` plays every scene against the Alertmanager in the folder that
TOCSIN_PEERS names, and writes the file anew.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import httpx

from tests.support.alertmanager import alertmanager
from tests.support.api_requests import CONFIG, Answer, Request, Script
from tests.support.api_scenes import SCENES
from tests.support.node import Node, NodeKind

ANSWERS = Path(__file__).resolve().parents[1] / "unit/node/api/data/answers.json"
RECORDED_VERSION = "0.33"

CRASHED = Answer(0, {}, "")
"""The handler of the real one panicked, and the connection was closed without an answer."""


@cache
def recorded() -> Mapping[str, Mapping[str, Answer]]:
    """The answers by scene and request name."""
    data = json.loads(ANSWERS.read_text())
    return {
        scene: {name: Answer(status, headers, body) for name, (status, headers, body) in answers.items()}
        for scene, answers in data.items()
    }


def start_alone(kind: NodeKind, folder: Path) -> Node:
    """A node without a cluster, on the configuration of the scenes."""
    flags = {
        "cluster.listen-address": "",
        "web.external-url": "",
        "web.route-prefix": "/",
        "log.level": "error",
    }
    node = Node(kind, "alone", folder, config=CONFIG, flags=flags)
    return node.start()


def ask(http: httpx.Client, script: Script, request: Request) -> Answer:
    """The answer to one request, marked."""
    body = None if request.body is None else script.fill(request.body).encode("utf-8", "surrogatepass")
    path = script.fill(request.path)
    try:
        response = http.request(request.method, path, content=body, headers=dict(request.headers))
    except httpx.RemoteProtocolError:
        return CRASHED
    return script.mark(response.status_code, response.headers, response.content.decode())


def client(url: str) -> httpx.Client:
    """A client that adds no header of its own but Host."""
    limits = httpx.Limits(max_keepalive_connections=0)  # Go closes some connections without saying so
    http = httpx.Client(base_url=url, timeout=15.0, trust_env=False, limits=limits)
    http.headers.clear()
    return http


def _record(kind: NodeKind) -> dict[str, dict[str, list[object]]]:
    answers: dict[str, dict[str, list[object]]] = {}
    for scene, requests in SCENES.items():
        answers[scene] = {}
        with tempfile.TemporaryDirectory() as folder:
            node = start_alone(kind, Path(folder))
            script = Script(datetime.now(UTC))
            with client(node.url) as http:
                for request in requests():
                    assert request.name not in answers[scene], (scene, request.name)
                    answer = ask(http, script, request)
                    answers[scene][request.name] = [answer.status, dict(answer.headers), answer.body]
                    if request.settle and answer.status == 200 and request.body != "[]":
                        time.sleep(0.5)
            node.close()
    return answers


if __name__ == "__main__":
    ANSWERS.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_record(alertmanager(RECORDED_VERSION)), indent=1, ensure_ascii=False, sort_keys=False)
    ANSWERS.write_text(text + "\n")
