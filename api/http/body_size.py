"""Limits of a request: JSON bodies are small, come soon, and are no deeper than the interpreter can walk.

Blobs have their own limits (api/http/uploads.py).
"""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.mirrors.arrival import Arrival, TooSlow
from contracts.mirrors.peer import IDLE_SECONDS
from contracts.recursion import bound_recursion

MAX_JSON_BYTES = 2**18


class JsonBodyLimit:
    """ASGI middleware: a POST body above MAX_JSON_BYTES is refused with 413 while it arrives, a slow one with 408."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        bound_recursion()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what is received, and for how long; after the body an application waits as long as it likes."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body = Arrival(receive, seconds=IDLE_SECONDS)
        has_ended = False

        async def counted() -> Message:
            nonlocal has_ended
            if has_ended:
                return await receive()
            try:
                message = await body.next()
            except TooSlow as error:
                raise HTTPException(408, str(error)) from None
            if body.count > MAX_JSON_BYTES:
                raise HTTPException(413, f"a body may have {MAX_JSON_BYTES} bytes; upload large data as a blob")
            has_ended = not message.get("more_body", False)
            return message

        await self._app(scope, counted, send)
