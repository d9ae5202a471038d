"""Additions to `/openapi.json` beyond the routes: every refusal has one form, and any route may give any of them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from contracts.wire.problem import Problem
from contracts.wire.requests import LeafBody

REFUSALS = (400, 401, 403, 404, 408, 409, 410, 411, 413, 416, 422, 429, 500, 502, 503, 507)
"""Statuses of the error tree (contracts/errors.py) and of HTTP; not 405: the document has the methods of a path."""
DESCRIPTION = """Each answer of a server is a claim. Before you act on it, read the log under the heads that verifiers
cosigned. `x-unit` of a field is the unit of its value. docs/http.md explains the routes."""
_REFUSAL = {
    "description": "Refused, and nothing was changed.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def install(app: FastAPI) -> None:
    """Give this app the document with all refusals."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def operation_name(route: APIRoute) -> str:
    """The name of an operation, for clients that are generated: that of its function."""
    return route.name


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, routes=app.routes, description=DESCRIPTION)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = Problem.model_json_schema()
    schemas["LeafBody"] = LeafBody.model_json_schema()  # its route takes a text, and reads it itself
    for methods in document["paths"].values():
        for operation in methods.values():
            operation["responses"].update({str(status): _REFUSAL for status in REFUSALS})
    return document
