"""Gossip in the lifespan of a FastAPI application: ``uvicorn web:app``."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, cast

from fastapi import Depends, FastAPI, Request

from tocsin.gossip import Address, Gossip, GossipConfig, RetryPolicy, UDPTransport, UDPTransportConfig


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    listen = Address.parse(os.environ.get("GOSSIP_LISTEN", "127.0.0.1:0"))
    transport = UDPTransport(UDPTransportConfig(listen_address=listen))
    name = os.environ.get("GOSSIP_NAME", f"web-{os.getpid()}")
    async with Gossip(GossipConfig.lan(), transport, name=name) as gossip:
        peers = [Address.parse(peer) for peer in os.environ.get("GOSSIP_PEERS", "").split()]
        await gossip.join(peers, retry=RetryPolicy(enough=1), timeout=30)
        app.state.gossip = gossip
        yield


def gossip_of(request: Request) -> Gossip:
    return cast("Gossip", request.app.state.gossip)


app = FastAPI(lifespan=lifespan)


@app.get("/members")
async def members(gossip: Annotated[Gossip, Depends(gossip_of)]) -> dict[str, str]:
    return {member.name: str(member.address) for member in gossip.members}
