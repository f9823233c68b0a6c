"""``POST silences/import``."""

from __future__ import annotations

from tocsin.models.base import Query
from tocsin.models.silenceimport import SilenceImport, SilenceImported
from tocsin.node.api.bodies import BodyError
from tocsin.node.api.go_json import GoJSONError
from tocsin.node.api.postable_silence import PostableMatcher, SilenceFields, making_silence
from tocsin.node.api.steps import run_steps
from tocsin.node.api.times import parse_time
from tocsin.node.api.tocsin_v1.resource import Call, Context, RefusedError, Resource


class _Import:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend

    async def __call__(self, call: Call[Query, SilenceImport]) -> SilenceImported:
        backend, asked = self._backend, call.body
        fields = SilenceFields(
            identifier=asked.id,
            matchers=[
                PostableMatcher(each.name, each.value, each.is_regex, each.is_equal)
                for each in asked.matchers
            ],
            starts_at=_time(asked.starts_at, "body startsAt"),
            ends_at=_time(asked.ends_at, "body endsAt"),
            created_by=asked.created_by,
            comment=asked.comment,
            annotations=dict(asked.annotations),
        )
        try:
            silence = await run_steps(making_silence(fields, backend.now(), call.mode))
        except BodyError as error:
            raise RefusedError(400, error.message, "body") from None
        imported = await backend.import_silence(silence, call.creator)
        return SilenceImported(silence_id=silence.id, imported=imported)


def _time(text: str, place: str) -> int:
    try:
        return parse_time(text)
    except GoJSONError as error:
        raise RefusedError(400, str(error), place) from None


RESOURCE = Resource(
    method="POST",
    path="/silences/import",
    summary="Make a silence under the id that it had elsewhere",
    description="The checks and limits are those of a POST of API v2, which cannot keep an id. One that is"
    " there with equal content is left alone; with other content it is a conflict (409), and nothing is"
    " overwritten. Two starts in the past are no difference: a silence starts no earlier than it comes.",
    query=Query,
    body=SilenceImport,
    answer=SilenceImported,
    make=_Import,
)
