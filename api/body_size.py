"""How much of a request is read: JSON bodies are small, and no deeper than the interpreter can walk.

Blobs have their own limit (api/blobs.py).
"""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.recursion import bound_recursion

MAX_JSON_BYTES = 2**18


class JsonBodyLimit:
    """ASGI middleware: a POST body above MAX_JSON_BYTES is refused with 413 while it arrives."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        bound_recursion()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what is received."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        arrived = 0

        async def counted() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > MAX_JSON_BYTES:
                raise HTTPException(413, f"a body may have {MAX_JSON_BYTES} bytes; upload large data as a blob")
            return message

        await self._app(scope, counted, send)
