"""``POST cluster/forget``."""

from __future__ import annotations

from tocsin.models.base import Query
from tocsin.models.cluster import Forget, Forgotten
from tocsin.node.api.tocsin_v1.resource import Call, Context, RefusedError, Resource


class _Forget:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend.tocsin

    async def __call__(self, call: Call[Query, Forget]) -> Forgotten:
        peer = call.body.peer
        for member in self._backend.members():
            if peer in (member.name, member.address):
                raise RefusedError(
                    409,
                    f"{member.name} at {member.address} is a member, and {member.state}:"
                    " only who is gone is forgotten",
                    "body peer",
                )
        addresses = self._backend.forget_peer(peer)
        if not addresses:
            raise RefusedError(404, f"no peer with the name or address {peer!r} is missing here", "body peer")
        return Forgotten(addresses=tuple(addresses))


RESOURCE = Resource(
    method="POST",
    path="/cluster/forget",
    summary="Forget a peer that is lost and will not be back",
    description="This node counts it as missing and dials it no more, also if --cluster.peer or discovery"
    " names it: until it joins by itself, discovery drops it and lists it anew, or this node starts again."
    " If it is still listed, it is dialled every five minutes: it may only have been cut off."
    " Other nodes do not forget it: ask each.",
    query=Query,
    body=Forget,
    answer=Forgotten,
    make=_Forget,
)
