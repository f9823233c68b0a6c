"""``silences/import``: a silence under the id that it had, with the checks of API v2."""

from __future__ import annotations

from random import Random
from typing import Any

import httpx
import pytest

from tests.support.api_backend import LoneNode
from tests.support.openapi import PREFIX, check, play
from tocsin.alerting.silence import SilenceLimits, Silences, SilenceState
from tocsin.alerting.timestamp import SECOND, format_milliseconds
from tocsin.node.api import Limits
from tocsin.node.api.people import PeopleRules

PATH = f"{PREFIX}/silences/import"
ID = "3f0c8bd2-95a4-4e61-8d3e-0c9a7f6b1e42"


def body(node: LoneNode, **changed: Any) -> dict[str, Any]:
    now = node.now()
    return {
        "id": ID,
        "matchers": [{"name": "a", "value": "b|c", "isRegex": True, "isEqual": False}],
        "startsAt": format_milliseconds(now - 60 * SECOND),
        "endsAt": format_milliseconds(now + 3600 * SECOND),
        "createdBy": "bob",
        "comment": "moved",
        "annotations": {"ticket": "7"},
        **changed,
    }


def test_a_silence_keeps_its_id_and_is_imported_once() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        asked = body(node)
        assert await check(http, await http.post(PATH, json=asked)) == {"silenceId": ID, "imported": True}
        shown = (await http.get(f"/api/v2/silence/{ID}")).json()
        assert shown.pop("status") == {"state": "active"}
        assert shown.pop("updatedAt") == shown.pop("startsAt"), "it began when it came"
        assert shown == {name: value for name, value in asked.items() if name != "startsAt"}
        assert await check(http, await http.post(PATH, json=asked)) == {"silenceId": ID, "imported": False}
        problem = await check(http, await http.post(PATH, json={**asked, "comment": "other"}))
        assert (problem["status"], problem["error"]) == (409, "conflict")
        assert problem["message"].endswith("is not overwritten: comment")
        assert (await http.delete(f"/api/v2/silence/{ID}")).status_code == 200
        assert (await http.post(PATH, json=asked)).status_code == 409, "who ended it here is not overruled"
        assert node.silences.counts(node.now())[SilenceState.EXPIRED] == 1

    play(story)


@pytest.mark.parametrize(
    ("changed", "place", "message"),
    [
        ({"id": ""}, "body id", ""),
        ({"id": ID.upper()}, "body id", ""),
        ({"id": ID.replace("-", "")}, "body id", ""),
        ({"id": f"{{{ID}}}"}, "body id", ""),
        ({"id": ID + "\n"}, "body id", ""),
        ({"status": {"state": "active"}}, "body", "status"),
        ({"matchers": []}, "body matchers", ""),
        ({"matchers": [{"name": "a", "value": "", "isRegex": False}]}, "", "must not match the empty string"),
        ({"matchers": [{"name": "a", "value": "(", "isRegex": True}]}, "", "invalid regular expression"),
        ({"matchers": [{"name": "a", "value": "b", "isRegex": False}] * 1025}, "body matchers", ""),
        ({"startsAt": "soon"}, "body startsAt", "soon"),
        ({"endsAt": "2020-01-01T00:00:00.000Z"}, "", "start time must be before end time"),
        (
            {"startsAt": "2019-01-01T00:00:00.000Z", "endsAt": "2020-01-01T00:00:00.000Z"},
            "",
            "end time can't be in the past",
        ),
    ],
)
def test_what_api_v2_would_refuse_is_refused(changed: Any, place: str, message: str) -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        problem = await check(http, await http.post(PATH, json=body(node, **changed)))
        assert (problem["status"], problem["place"]) == (400, place), problem
        assert message in problem["message"]
        assert not len(node.silences)

    play(story)


def test_the_largest_number_of_silences_holds() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        node.silences = Silences(3600 * SECOND, random=Random(1), limits=SilenceLimits(max_silences=1))
        assert (await http.post(PATH, json=body(node))).status_code == 200
        other = body(node, id="4f0c8bd2-95a4-4e61-8d3e-0c9a7f6b1e42")
        assert (await check(http, await http.post(PATH, json=other)))["message"].startswith(
            "exceeded maximum"
        )

    play(story)


def test_a_name_that_the_node_knows_signs_an_import() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        known = {"X-User": "ana"}
        for imported in (True, False):
            answer = await http.post(PATH, json=body(node, endsAt="2100-01-01T00:00:00.000Z"), headers=known)
            assert (await check(http, answer))["imported"] is imported
        silence = node.silences.get(ID)
        assert silence is not None
        assert silence.created_by == "ana"
        assert (await http.post(PATH, json=body(node))).status_code == 403

    play(story, limits=Limits(people=PeopleRules(creator_from="header:X-User")))
