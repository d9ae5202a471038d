"""A parameter that a route does not know is refused: a slip of the pen would be an answer to another question."""

from __future__ import annotations

from fastapi import Request
from fastapi.routing import APIRoute

from contracts.errors import BadField


class UnknownParameter(BadField):
    """The query has a parameter that the route does not take."""

    code = "unknown-parameter"
    status = 422


def known_query(request: Request) -> None:
    """Raises UnknownParameter."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not request.query_params:
        return
    names = {field.alias for field in route.dependant.query_params}
    for name in request.query_params:
        if name not in names:
            takes = f"it takes {', '.join(sorted(names))}" if names else "it takes none"
            raise UnknownParameter(f"query: {name[:100]!r} is no parameter of {request.url.path}: {takes}")
