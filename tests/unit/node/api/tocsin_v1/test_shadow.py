"""``GET shadow``, and what ``tocsinctl shadow report`` makes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import httpx
import msgspec

from tests.support.api_backend import LoneNode
from tests.support.openapi import PREFIX, check
from tests.support.routing import T0
from tests.unit.alerting.shadow.test_shadow import HOUR, PATIENCE, Bench
from tocsin.cli.commands.shadow_report import status, text
from tocsin.models.shadow import ShadowQuery, ShadowReport
from tocsin.node.api import create_app
from tocsin.node.api.tocsin_v1.shadow import report

Play = Callable[[httpx.AsyncClient, LoneNode], Awaitable[None]]


def play(story: Play) -> None:
    async def run() -> None:
        backend = LoneNode()
        transport = httpx.ASGITransport(app=create_app(backend))
        async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
            await story(http, backend)

    asyncio.run(run())


def differing() -> Bench:
    bench = Bench()
    bench.ours(T0, "a")
    bench.theirs(T0, "a")
    bench.ours(T0 + HOUR, "a", "b")
    bench.theirs(T0 + HOUR, "a", "c")
    bench.wait(T0 + HOUR + PATIENCE)
    return bench


def test_a_node_that_is_not_in_shadow_says_so_and_tries_receivers() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        answer = await http.get(f"{PREFIX}/shadow")
        assert answer.status_code == 404
        assert "--dispatch.shadow" in answer.json()["message"]

    play(story)


def test_the_report_is_served() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        node.tocsin.shadow = differing().shadow
        found = await check(http, await http.get(f"{PREFIX}/shadow"))
        assert found["counts"] == {"agreed": 1, "late": 0, "missing": 1, "extra": 1}
        assert found["differs"]
        assert found["receivers"] == [{"receiver": "hook", "counts": found["counts"]}]
        assert found["groups"][0]["counts"] == {"agreed": 0, "late": 0, "missing": 1, "extra": 1}
        assert {each["result"] for each in found["differences"]} == {"missing", "extra"}
        other = await check(http, await http.get(f"{PREFIX}/shadow", params={"receiver": "none"}))
        assert (other["differs"], other["differences"], other["receivers"]) == (False, [], [])
        one = await check(http, await http.get(f"{PREFIX}/shadow", params={"limit": 1}))
        assert len(one["differences"]) == 1

    play(story)


def test_no_receiver_is_tried_in_shadow() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        node.tocsin.shadow = Bench().shadow
        name = node.config.receivers[0].name
        answer = await http.post(f"{PREFIX}/receivers/{name}/test", json={})
        assert answer.status_code == 403
        assert "in shadow" in answer.json()["message"]
        status = (await http.get(f"{PREFIX}/status")).json()
        assert "in shadow" in status["warnings"][0]

    play(story)


def told(bench: Bench, **query: int) -> str:
    shown = report(bench.shadow, ShadowQuery(**query), node="shadow", now=T0 + HOUR + PATIENCE)  # type: ignore[arg-type]
    return text(msgspec.json.decode(json.dumps(msgspec.to_builtins(shown)), type=ShadowReport))


def test_the_tool_says_what_differs() -> None:
    found = told(differing())
    assert "Receiver  Agreed  Late  Missing  Extra\nhook      1       0     1        1\n" in found
    assert "MISSING hook/webhook[0] (2 firing, 0 resolved)\n" in found
    assert '    {alertname="A", instance="b"} fires\n' in found
    assert "this node does not have it in this group\n" in found
    assert found.endswith(
        "They differ: 1 missing (the others did not send what this node would have), 1 extra (the others"
        " sent what this node would not have); 1 agreed.\n"
    )
    assert "and 1 older; --limit shows those that are kept\n" in told(differing(), limit=1)


def test_the_tool_says_that_nothing_was_compared() -> None:
    *_, first, _, last = told(Bench()).splitlines()
    assert first == "Nothing was notified, and nothing would have been."
    assert last == "Nothing was compared so far: this says nothing yet."


def test_a_script_goes_on_only_when_something_was_compared_and_agreed() -> None:
    def found(bench: Bench) -> ShadowReport:
        shown = report(bench.shadow, ShadowQuery(), node="shadow", now=T0 + HOUR + PATIENCE)
        return msgspec.json.decode(json.dumps(msgspec.to_builtins(shown)), type=ShadowReport)

    nothing, agreeing = Bench(), Bench()
    agreeing.ours(T0, "a")
    agreeing.theirs(T0, "a")
    agreeing.wait(T0 + PATIENCE)
    each = [found(bench) for bench in (nothing, agreeing, differing())]
    assert [status(one, allow_late=False) for one in each] == [1, 0, 1]
    assert "Nothing was compared so far" in text(each[0])
    assert "No difference: 1 agreed." in text(each[1])
