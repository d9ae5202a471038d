"""Refusals as RFC 9457 problem documents, as the server sends them: a stable code, and a detail with the remedy."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ExceptionHandler

from contracts.errors import CommonweightError
from contracts.tlog.mirror import INFO_TYPE
from contracts.tlog.witness import SIZE_TYPE, format_size
from verifier.mirror.errors import SizeConflict, UploadConflict

logger = logging.getLogger(__name__)
RETRY_SECONDS = 1
HTTP_CODES = {400: "malformed-request", 404: "not-found", 405: "method-not-allowed", 413: "body-too-large"}


def problem(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """The document and its media type. A connection whose request was refused takes no other: its body may follow."""
    body = {"type": f"urn:commonweight:{code}", "title": code.replace("-", " "), "status": status, "code": code}
    beside = {**(headers or {}), "Connection": "close"} | ({"Retry-After": str(RETRY_SECONDS)} if status == 503 else {})
    return JSONResponse({**body, "detail": detail}, status, beside, "application/problem+json")


async def refused(_request: Request, error: Exception) -> Response:
    """A refusal of the tree; two have a body of their own in the mirrors' protocol."""
    assert isinstance(error, CommonweightError), "the handler is for these alone"
    if isinstance(error, SizeConflict):
        return Response(format_size(error.size), 409, {"Content-Type": SIZE_TYPE})
    if isinstance(error, UploadConflict):
        return Response(error.info.format(), 409, {"Content-Type": INFO_TYPE})
    return problem(error.status, error.code, error.detail)


async def unrouted(_request: Request, error: Exception) -> Response:
    """No route of that name, or not with that method."""
    assert isinstance(error, HTTPException), "the handler is for these alone"
    return problem(error.status_code, HTTP_CODES.get(error.status_code, "http-error"), error.detail, error.headers)


async def gone(_request: Request, _error: Exception) -> Response:
    """The client hung up in the middle: nobody reads the answer, and nothing was kept."""
    return problem(400, "malformed-request", "the connection ended before the body did")


async def broken(request: Request, error: Exception) -> Response:
    """A bug, or a disk that fails."""
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, "internal-error", "the mirror failed on this request; nothing was changed")


HANDLERS: dict[int | type[Exception], ExceptionHandler] = {
    CommonweightError: refused,
    HTTPException: unrouted,
    ClientDisconnect: gone,
    Exception: broken,
}
