"""What ``/api/tocsin/v1/cluster`` says of a cluster by mutual TLS in which a real Alertmanager is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop.conftest import Trio
from tests.support.eventually import eventually
from tests.support.node import Node
from tests.support.openapi import PREFIX, Document

pytestmark = pytest.mark.interop


def ask(node: Node, path: str) -> Any:
    document = Document(node.api.http.get(f"{PREFIX}/openapi.json").json())
    return document.check(node.api.http.get(PREFIX + path))


def test_the_cluster_tells_its_members_and_how_each_connection_is_protected(trio: Trio) -> None:
    cluster = ask(trio.first, "/cluster")
    assert (cluster["status"], cluster["name"], cluster["position"]) == ("ready", "00-first", 0)
    assert (cluster["members"], cluster["protection"], cluster["clearText"]) == (3, "tls", False)
    assert (cluster["missing"], cluster["keyring"]) == ([], None)
    identity = cluster["identity"]
    assert "127.0.0.1" in identity["certificate"]["names"]
    clients, servers = identity["trust"]
    for side in (clients, servers):
        assert side["verified"]
        assert [each["subject"] for each in side["authorities"]] == [identity["certificate"]["issuer"]]
        assert (side["revocationsFrom"], side["revocationsUntil"]) == ("", "") or side["revocationsFrom"]

    def compared() -> list[Any]:
        members: list[Any] = ask(trio.first, "/cluster/members")["items"]
        assert all(each["lastExchange"] for each in members if not each["itself"])
        assert all(each["roundTrip"] is not None for each in members if not each["itself"])
        return members

    members = eventually(compared, "every member has been asked")
    assert [each["itself"] for each in members] == [True, False, False]
    assert [each["tocsin"] for each in members] == [True, False, True]
    assert members[1]["diverged"] is None
    assert {each["state"] for each in members} == {"alive"}
    connections = ask(trio.first, "/cluster/connections")["items"]
    by_member = {each["member"]: each for each in connections if each["member"]}
    theirs, last = by_member[members[1]["name"]], by_member["zz-last"]
    assert (theirs["protocol"], last["protocol"]) == ("alertmanager", "tocsin/1")
    for each in (theirs, last):
        assert each["tlsVersion"] == "TLSv1.3"
        assert each["cipher"].startswith("TLS_")
        assert each["certificate"]["issuer"] == identity["certificate"]["issuer"]
    assert theirs["dialled"]
    assert theirs["verifiedName"] == "127.0.0.1"
