"""A test client that holds every answer against the class that its route promises: nothing may be missing, of another
type, or beyond what the class knows. Answers of servers that a test makes up, and such servers."""

from __future__ import annotations

from typing import Any

from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from httpx import Response

from api.app import ROUTERS
from contracts.wire.fields import Body, Part, read_as, reader
from contracts.wire.problem import Problem

PREFIX = "/v1"


class CheckedClient(TestClient):
    """As TestClient; raises AssertionError for an answer that is not what the route promises."""

    def request(self, method: str, url: Any, **options: Any) -> Response:
        answer: Response = super().request(method, url, **options)
        check_answer(answer)
        return answer


def check_answer(answer: Response) -> None:
    """Raises AssertionError."""
    path, is_json = answer.request.url.path, answer.headers.get("content-type") == "application/json"
    if answer.request.method == "HEAD" or answer.status_code == 416:  # of a range of a file, which has no body
        return
    if answer.status_code >= 400:
        check_as(Problem, answer.json())
    elif is_json and path.startswith(PREFIX):
        check_as(promised(answer.request.method, path), answer.json())


def promised(method: str, path: str) -> Any:
    """The class of a route's answer. Raises AssertionError where it has none."""
    for route in (route for part in ROUTERS for route in part.router.routes):
        assert isinstance(route, APIRoute)
        if method in (route.methods or ()) and route.path_regex.match(path.removeprefix(PREFIX)):
            assert route.response_model is not None, f"{method} {path} promises nothing"
            return route.response_model
    raise AssertionError(f"no route takes {method} {path}")


def check_as(kind: Any, said: object) -> None:
    """The class reads it strictly, and writes it again as it was."""
    read = reader(kind).validate_python(said)
    assert reader(kind).dump_python(read, mode="json", by_alias=True, exclude_unset=True) == said


def sample(kind: type[Part], **fields: object) -> dict[str, Any]:
    """An answer of a class, made of the examples that `/openapi.json` shows, with some fields as they are given."""
    schema = kind.model_json_schema(mode="serialization")
    made = {name: _example(form, schema.get("$defs", {})) for name, form in schema["properties"].items()} | fields
    check_as(kind, made)
    return made


def _example(form: dict[str, Any], known: dict[str, Any]) -> Any:
    if "$ref" in form and not form.get("examples"):
        target = known[form["$ref"].rpartition("/")[2]]
        return {name: _example(inner, known) for name, inner in target["properties"].items()}
    if form.get("examples"):
        return form["examples"][0]
    if "anyOf" in form:
        return _example(form["anyOf"][0], known)
    if form["type"] == "array":
        return []
    return {name: _example(inner, known) for name, inner in form.get("properties", {}).items()}


class Typed:
    """A server in a test's place that has `get` and `post`: `read` and the rest of ApiClient by them."""

    def get(self, path: str, **query: Any) -> Any:
        raise NotImplementedError

    def post(self, path: str, body: Any) -> Any:
        raise NotImplementedError

    def read(self, kind: type[Any], path: str, **query: Any) -> Any:
        return read_as(kind, self.get(path, **query))

    def read_list(self, kind: type[Any], path: str, **query: Any) -> Any:
        return [read_as(kind, one) for one in self.get(path, **query)]

    def send(self, kind: type[Any], path: str, body: Body) -> Any:
        return read_as(kind, self.post(path, body.to_json()))
