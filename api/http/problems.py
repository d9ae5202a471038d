"""Errors as RFC 9457 problem documents: a stable `code`, and a `detail` that names the field and the remedy.

A status of 503 says that the same request may succeed after `Retry-After` seconds.
"""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from requests.exceptions import RequestException
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.http.field_words import describe
from api.http.methods import allowed
from contracts.errors import CommonweightError
from contracts.evm.errors import ChainUnavailable

logger = logging.getLogger(__name__)
RETRY_SECONDS = 1
HTTP_CODES = {
    400: "malformed-request",
    404: "not-found",
    405: "method-not-allowed",
    408: "slow-peer",
    413: "body-too-large",
}


def install(app: FastAPI) -> None:
    """Make every refusal of this app a problem document."""
    app.add_exception_handler(CommonweightError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_exception_handler(RequestException, _unreachable)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _broken)


def problem(status: int, code: str, detail: str, retry_after: int = RETRY_SECONDS) -> JSONResponse:
    """The document and its media type; `retry_after` are seconds, told with a 503."""
    body = {"type": f"urn:commonweight:{code}", "title": code.replace("-", " "), "status": status, "code": code}
    headers = {"Retry-After": str(retry_after)} if status == 503 else None
    return JSONResponse({**body, "detail": detail}, status, headers, "application/problem+json")


def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CommonweightError)
    return problem(error.status, error.code, error.detail, getattr(error, "retry_after", RETRY_SECONDS))


def _malformed(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return problem(422, "malformed-request", "; ".join(map(describe, error.errors())))


def _unrouted(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    response = problem(error.status_code, HTTP_CODES.get(error.status_code, "http-error"), error.detail)
    if error.status_code == 405:
        response.headers["Allow"] = allowed(request.app.routes, request.scope)
    return response


def _unreachable(_request: Request, _error: Exception) -> JSONResponse:
    """Also where a proxy answers for the chain node, with whatever status or page."""
    return problem(503, ChainUnavailable.code, "the chain does not answer; try again shortly")


def _gone(_request: Request, _error: Exception) -> JSONResponse:
    """The client hung up in the middle of its body: nobody reads the answer, and nothing was kept."""
    return problem(400, "malformed-request", "the connection ended before the body did")


def _broken(request: Request, error: Exception) -> JSONResponse:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, "internal-error", "the server failed on this request; nothing was changed")
