"""The operator's server as a verifier uses it: the address of its log for the looks, and a route for signatures.

Its answers are claims, and a refusal of it is no reason to stop. Every call is bounded in bytes and time.
"""

from __future__ import annotations

import asyncio
import json

import httpx

from contracts.chain.deployment import Deployment
from contracts.mirrors.peer import ERROR_BYTES, Limits, Peer
from contracts.protocol.log.codec import canonical
from contracts.wire.requests import CosignatureBody
from verifier.mirror.exchange.handing_on import ServerDoor
from verifier.replica.errors import ServerRefused

LOG, API = "/log", "/v1"
"""Paths of the server's log (tlog-tiles), and of its routes."""


class Server:
    """One server, at the address that its user chose. Calls are made from one thread."""

    def __init__(self, url: str, limits: Limits | None = None) -> None:
        self._api = JsonPeer(url.rstrip("/") + API, loopback=True, limits=limits, chosen=True, keeps=True)
        self._runner = asyncio.Runner()
        self._closed = False

    def signature(self, path: str, body: CosignatureBody) -> None:
        """Hand a signature on that contracts read. Raises PeerUnreachable, PeerMisbehaved and ServerRefused."""
        reply = self._runner.run(self._api.post(path, canonical(body.to_json()).encode(), ERROR_BYTES))
        if reply.status >= 300:
            raise ServerRefused(f"{path} answered {reply.status}: {_said(reply.body)}")

    def close(self) -> None:
        """End calls that are under way."""
        if not self._closed:
            self._closed = True
            self._runner.run(self._api.close())
            self._runner.close()


def door_of(url: str, model: Deployment) -> ServerDoor:
    """The server of this model for the looks, which have connections of their own."""
    log, api = (Peer(url.rstrip("/") + path, loopback=True, chosen=True, keeps=True) for path in ("", API))
    return ServerDoor(log, LOG, f"{API}/messages", f"{API}/blobs/", api, model)


class JsonPeer(Peer):
    """A peer whose requests say that their bodies are JSON: the routes for signatures take nothing else."""

    def _made(self, headers: dict[str, str]) -> httpx.AsyncClient:
        return super()._made({"Content-Type": "application/json", **headers})


def _said(body: bytes) -> str:
    """Code and detail of a problem document, for people."""
    try:
        problem = json.loads(body)
        return f"{problem['code']}: {problem['detail']}"[:300]
    except (ValueError, KeyError, TypeError, RecursionError):
        return repr(body[:100])
