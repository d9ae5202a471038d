"""HTTP's rules for any resource: HEAD answers as GET without a body, and a refusal says which methods are taken."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class HeadRequests:
    """ASGI middleware: HEAD is GET whose body is not sent (RFC 9110, 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lengths and all other headers stay."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def bare(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, bare)


def allowed(routes: Sequence[BaseRoute], scope: Scope) -> str:
    """The methods that a path takes, for the header Allow (RFC 9110, 10.2.1)."""
    methods = [method for method in METHODS if any(_takes(route, scope, method) for route in routes)]
    return ", ".join(sorted([*methods, "HEAD"] if "GET" in methods else methods))


def _takes(route: BaseRoute, scope: Scope, method: str) -> bool:
    match, _ = route.matches({**scope, "method": method})
    return match is Match.FULL
