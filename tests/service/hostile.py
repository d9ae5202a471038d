"""An operator of bad will: what its server does to one node, to one verifier, to bytes, or to its log.

Each is an ASGI application in front of the real one, so that everything else is as it was.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from contracts.protocol.log.operator import LogSigner
from contracts.tlog.checkpoint import parse_checkpoint
from contracts.tlog.note import parse_note
from tests.service.stage import address_of, halt


class Deaf:
    """Says yes to every message and blob, and does nothing: whoever has this address is heard by mirrors alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Drop what comes in."""
        if scope["type"] != "http" or scope["method"] == "GET":
            await self._app(scope, receive, send)
            return
        await Request(scope, receive).body()
        await JSONResponse({"digest": "0x" + "00" * 32, "index": None, "entered": 0})(scope, receive, send)


class Forgetful:
    """Says yes to every signature that contracts read, and drops it: nobody is paid, or slashed, by its doing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Drop signatures."""
        if scope["type"] != "http" or not scope["path"].endswith("/signatures"):
            await self._app(scope, receive, send)
            return
        await Request(scope, receive).body()
        await JSONResponse({})(scope, receive, send)


class Losing:
    """Takes every blob and has none: bytes come from mirrors alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lose bytes."""
        if scope["type"] != "http" or not scope["path"].startswith("/v1/blobs/"):
            await self._app(scope, receive, send)
            return
        await Request(scope, receive).body()
        lost = Response(b"", 404) if scope["method"] == "GET" else JSONResponse({"blob": scope["path"][-64:]})
        await lost(scope, receive, send)


class TwoLogs:
    """Shows a head of another log, under the operator's own signature, once the log has `after` entries."""

    def __init__(self, app: ASGIApp, signer: LogSigner, after: int) -> None:
        self._app, self._signer, self._after = app, signer, after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Replace the head."""
        if scope["type"] != "http" or scope["path"] != "/log/checkpoint":
            await self._app(scope, receive, send)
            return
        true = parse_checkpoint(parse_note(await self._body(scope, receive)).text)
        forged = self._signer.head(true.size, true.root if true.size < self._after else b"\7" * 32)
        await Response(forged.format(), media_type="text/plain; charset=utf-8")(scope, receive, send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        parts: list[bytes] = []

        async def keep(message: dict[str, object]) -> None:
            if message["type"] == "http.response.body":
                parts.append(bytes(message.get("body", b"")))  # type: ignore[call-overload]

        await self._app(scope, receive, keep)  # type: ignore[arg-type]
        return b"".join(parts)


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Another address of the operator's; the url."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=3, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield address_of(server)
    finally:
        halt(server, thread)
