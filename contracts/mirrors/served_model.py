"""The model of the server behind an address: this one, or another.

The server's answer about itself is a claim, and only one thing follows from it: a wrong server is asked nothing. So a
wrong address is named, instead of a log whose heads do not verify.
"""

from __future__ import annotations

import json

from contracts.chain.deployment import Deployment, InvalidDeployment
from contracts.mirrors.peer import Peer, PeerMisbehaved, PeerUnreachable
from contracts.tlog.text import shown

PATH = "/v1/network"
_MOST = 2**20
"""Bytes of the answer that are read."""


async def require_model(server: Peer, deployment: Deployment) -> None:
    """Raises PeerMisbehaved where a server says that it serves another model.

    One that does not say what it serves, as while its chain node is away, is judged by its log alone.
    """
    try:
        reply = await server.get(PATH, _MOST)
    except (PeerUnreachable, PeerMisbehaved):
        return
    served = _served(reply.body) if reply.status == 200 else None
    if served is not None and _place(served) != _place(deployment):
        raise PeerMisbehaved(
            f"it serves another model, {_words(served)}, and the deployment file is of {_words(deployment)}: "
            "check --api and --deployment"
        )


def _served(body: bytes) -> Deployment | None:
    try:
        deployment = Deployment.from_mapping(json.loads(body)["deployment"])
        _place(deployment)
    except (InvalidDeployment, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    return deployment


def _place(deployment: Deployment) -> tuple[int, str, str]:
    return int(deployment.chain_id), deployment.model_registry.lower(), deployment.model.lower()


def _words(deployment: Deployment) -> str:
    return f"{shown(str(deployment.name))} ({shown(deployment.model)} on chain {int(deployment.chain_id)})"
