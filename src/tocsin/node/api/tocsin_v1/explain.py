"""``GET explain``."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from tocsin.alerting.explain import story as stories
from tocsin.alerting.explain.question import FOREVER, Question
from tocsin.alerting.explain.text import render, verdict
from tocsin.alerting.timestamp import Nanoseconds, format_milliseconds
from tocsin.models import explain as models
from tocsin.node.api.tocsin_v1.resource import Call, Context, RefusedError, Resource, instant
from tocsin.sources import source_of

_FINGERPRINT: Final = re.compile("[0-9a-fA-F]{1,16}")


class _Explain:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend

    async def __call__(self, call: Call[models.Explain, None]) -> models.Explanation:
        query = call.query
        if not (query.fingerprint or query.filter or query.group or query.receiver):
            raise RefusedError(400, "name an alert: fingerprint, filter, group or receiver", "query")
        until = instant(query.until, "query until")
        question = Question(
            fingerprints=frozenset(map(_fingerprint, query.fingerprint)),
            matchers=tuple(await call.matchers(query.filter)),
            group_key=query.group,
            receiver=query.receiver,
            since=instant(query.since, "query since") or 0,
            until=FOREVER if until is None else until,
            limit=query.limit,
        )
        found = await self._backend.tocsin.explain(
            question, peers=query.peers, source=source_of(call.address) if call.address else ""
        )
        stories = await asyncio.to_thread(
            lambda: tuple(map(shown, found.stories))
        )  # answers of peers are large
        return models.Explanation(
            stories=stories,
            nodes=tuple([models.NodeAnswer(node=e.node, answer=e.answer, why=e.why) for e in found.nodes]),
            more=found.more,
        )


def _fingerprint(text: str) -> int:
    if not _FINGERPRINT.fullmatch(text):
        raise RefusedError(400, "a fingerprint is up to 16 hexadecimal digits", "query fingerprint")
    return int(text, 16)


def shown(story: stories.Story) -> models.Story:
    """A story as the API shows it."""
    here = stories.AtNode(
        node=story.node,
        state=story.state,
        since=story.since,
        inhibited_by=story.inhibited_by,
        silenced_by=story.silenced_by,
    )
    return models.Story(
        fingerprint=story.labels.fingerprint_text,
        labels=dict(story.labels),
        at=format_milliseconds(story.at),
        nodes=tuple([_at_node(each) for each in (here, *story.elsewhere)]),
        routes=tuple(
            [
                models.RouteTold(id=each.id, receiver=each.receiver, taken=each.taken, why=each.why)
                for each in story.routes
            ]
        ),
        groups=tuple([_group(each, story) for each in story.groups]),
        text=render(story),
    )


def _at_node(each: stories.AtNode) -> models.AtNode:
    return models.AtNode(
        node=each.node,
        state=each.state,
        since=_time(each.since),
        inhibited_by=each.inhibited_by,
        silenced_by=each.silenced_by,
    )


def _group(group: stories.GroupStory, story: stories.Story) -> models.GroupTold:
    return models.GroupTold(
        receiver=group.receiver,
        route=group.route_id,
        key=group.key,
        labels=dict(group.labels),
        muted_by=group.muted_by,
        next_flush=_time(group.next_flush),
        verdict=verdict(group, story),
        told=tuple(
            [
                models.NotificationTold(
                    at=format_milliseconds(each.at),
                    node=each.node,
                    integration=each.integration,
                    what=each.what,
                    resolved=each.resolved,
                    why=each.why,
                    again_at=_time(each.again_at),
                )
                for each in group.outcomes
            ]
        ),
    )


def _time(moment: Nanoseconds | None) -> str:
    return format_milliseconds(moment) if moment is not None else ""


RESOURCE = Resource(
    path="/explain",
    summary="What became of an alert, and why",
    description="Out of the decision record of this node and of the other Tocsin nodes, and the notification"
    " log. Past 300 flushes, or 3 seconds of searching, it is not all; `nodes` says so.",
    query=models.Explain,
    answer=models.Explanation,
    make=_Explain,
)
