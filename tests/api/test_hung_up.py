"""A client that is gone before its body came: nothing is kept, and the server's log says nothing of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.house import House

pytestmark = pytest.mark.integration
ROUTES = ("/v1/messages", "/v1/epochs/1/claims", "/v1/proposals")


def hang_up(app: Any, path: str) -> list[dict[str, Any]]:
    """What the server answers to half a body whose connection is lost."""
    coming: list[dict[str, Any]] = [
        {"type": "http.request", "body": b'{"kind"', "more_body": True},
        {"type": "http.disconnect"},
    ]
    answers: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return coming.pop(0) if len(coming) > 1 else coming[0]

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    head: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
    }
    head |= {"path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "client": ("::1", 1)}
    headers = [(b"content-type", b"application/json"), (b"content-length", b"500")]
    asyncio.run(app({**head, "headers": headers, "server": ("::1", 1)}, receive, send))
    return answers


@pytest.mark.parametrize("path", ROUTES)
def test_who_hangs_up_is_no_failure_of_the_server(stage: House, path: str, caplog: pytest.LogCaptureFixture) -> None:
    before = stage.dump()
    answers = hang_up(stage.client.app, path)
    assert answers[0]["status"] == 400
    assert stage.dump() == before
    assert not caplog.records
