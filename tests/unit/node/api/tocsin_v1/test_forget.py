"""``cluster/forget``: a lost peer is forgotten, and nobody else."""

from __future__ import annotations

import httpx

from tests.support.api_backend import LoneNode
from tests.support.openapi import PREFIX, check, play

PATH = f"{PREFIX}/cluster/forget"


def test_a_lost_peer_is_forgotten_once() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        node.tocsin.lost = {"am3": ("192.0.2.3:9094",)}
        assert await check(http, await http.post(PATH, json={"peer": "am3"})) == {
            "addresses": ["192.0.2.3:9094"]
        }
        again = await http.post(PATH, json={"peer": "am3"})
        assert again.status_code == 404
        assert again.json()["message"] == "no peer with the name or address 'am3' is missing here"
        assert (await http.post(PATH, json={"peer": ""})).status_code == 400

    play(story)
