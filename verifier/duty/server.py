"""The operator's server as a verifier uses it: one way in for messages and signatures, one list of addresses.

Its answers are claims, and what it does not take is no reason to stop.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from contracts.mirrors.peer import ERROR_BYTES, Peer, PeerUnreachable
from contracts.protocol.log.codec import canonical
from verifier.duty.errors import ServerRefused
from verifier.mirror.handing_on import ServerDoor
from verifier.mirror.pulling import Puller

SECONDS = 20.0
LOG, API = "/log", "/v1"
"""Where the server has its log (tlog-tiles), and below what its routes stand."""


class Server:
    """One server, at whatever address its user chose. Calls are made from one thread."""

    def __init__(self, url: str) -> None:
        self.peer = Peer(url.rstrip("/"), loopback=True, chosen=True, keeps=True)
        self._api = Peer(url.rstrip("/") + API, loopback=True, chosen=True, keeps=True)
        self._http = httpx.Client(base_url=url.rstrip("/") + API, timeout=SECONDS, trust_env=False)
        self._runner = asyncio.Runner()

    def door(self) -> ServerDoor:
        """For the looks."""
        return ServerDoor(self.peer, LOG, f"{API}/messages", f"{API}/blobs/")

    def message(self, data: bytes) -> None:
        """Hand a message on. Raises PeerUnreachable, PeerMisbehaved and ServerRefused."""
        reply = self._runner.run(self._api.post("/messages", data, ERROR_BYTES))
        if reply.status >= 300:
            raise ServerRefused(f"/messages answered {reply.status}: {_said(reply.body)}")

    def signature(self, path: str, body: dict[str, Any]) -> None:
        """Hand a signature on that contracts read. Raises as `message`."""
        headers = {"Content-Type": "application/json"}
        try:
            with self._http.stream("POST", path, content=canonical(body).encode(), headers=headers) as answer:
                said = next(answer.iter_bytes(ERROR_BYTES), b"")
        except httpx.HTTPError as error:
            raise PeerUnreachable(f"cannot be reached, or broke off: {type(error).__name__}") from None
        if answer.status_code >= 300:
            raise ServerRefused(f"{path} answered {answer.status_code}: {_said(said)}")

    def addresses(self, puller: Puller) -> None:
        """Take the addresses of mirrors that it lists, each under its verifier's signature. Raises as `message`."""
        self._runner.run(puller.addresses(self._api))

    def close(self) -> None:
        """End what is under way."""
        if not self._http.is_closed:
            self._runner.run(self._api.close())
            self._runner.close()
            self._http.close()


def _said(body: bytes) -> str:
    """What a problem document says, for people."""
    try:
        found = json.loads(body)
        return f"{found['code']}: {found['detail']}"[:300]
    except (ValueError, KeyError, TypeError, RecursionError):
        return repr(body[:100])
