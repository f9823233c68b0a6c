"""``POST receivers/{name}/test``."""

from __future__ import annotations

import difflib

from tocsin.alerting.integration import integrations
from tocsin.models.base import Query
from tocsin.models.receivertest import IntegrationTested, ReceiverTest, ReceiverTested
from tocsin.node.api.tocsin_v1.resource import Call, Context, RefusedError, Resource
from tocsin.notify.receivertest import notification_of_test


class _Test:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend

    async def __call__(self, call: Call[Query, ReceiverTest]) -> ReceiverTested:
        backend, asked, name = self._backend, call.body, call.path["name"]
        known = {receiver.name: receiver for receiver in backend.config.receivers}
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise RefusedError(404, f"there is no receiver {name!r}{hint}", "path name")
        wanted = [
            each
            for each in integrations(known[name])
            if asked.integration in ("", f"{each.integration}[{each.index}]")
        ]
        if not wanted:
            what = f"no integration {asked.integration!r}" if asked.integration else "no integrations"
            raise RefusedError(400, f"the receiver {name!r} has {what}", "body integration")
        if "" in asked.labels:
            raise RefusedError(400, "a label without a name", "body labels")
        if backend.tocsin.shadow is not None:
            raise RefusedError(403, "this node is in shadow (--dispatch.shadow), and sends nothing")
        tests = backend.tocsin.receiver_tests
        if not tests.admit():
            raise RefusedError(503, "too many tests are under way; try again later")
        notification = notification_of_test(
            name,
            backend.now(),
            alerts=[asked.labels] if asked.labels else (),
            annotations=asked.annotations,
            resolved=asked.resolved,
            external_url=backend.tocsin.external_url,
        )
        tried = await tests.run(known[name], wanted, notification)
        return ReceiverTested(
            receiver=name,
            taken=all(each.outcome.success for each in tried),
            integrations=tuple(
                IntegrationTested(
                    name=str(each.integration),
                    taken=each.outcome.success,
                    status=each.status,
                    reason=each.outcome.reason,
                    error=each.outcome.error,
                    hint=each.hint,
                    took=round(each.seconds, 6),
                )
                for each in tried
            ),
        )


RESOURCE = Resource(
    method="POST",
    path="/receivers/{name}/test",
    summary="Send one notification to a receiver, and say what became of it",
    description="It is sent at once, whatever is silenced, by connections of its own, and leaves no trace in"
    " the notification log.",
    query=Query,
    body=ReceiverTest,
    answer=ReceiverTested,
    make=_Test,
)
