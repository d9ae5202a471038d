"""What HTTP expects of any resource: HEAD, Allow, CORS by a setting, and no parameter that is passed over."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from tests.house import House, check_refused

pytestmark = pytest.mark.integration
PAGE = "https://example.org"
READ = ("/v1/network", "/v1/runs", "/v1/log/size", "/log/checkpoint", "/metrics", "/openapi.json", "/v1/runs/0x00")
MOVING = ("/v1/log/size", "/log/checkpoint", "/metrics")  # another length at another moment: the log grows by itself


@pytest.mark.parametrize("path", READ)
def test_head_is_get_without_a_body(house: House, path: str) -> None:
    house.start()
    head, get = house.client.head(path), house.client.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    if path not in MOVING:
        assert head.headers["Content-Length"] == str(len(get.content))


@pytest.mark.parametrize(
    ("method", "path", "takes"),
    [
        ("DELETE", "/v1/runs", "GET, HEAD"),
        ("GET", "/v1/messages", "POST"),
        ("POST", "/v1/blobs/" + "00" * 32, "GET, HEAD, PUT"),
        ("PATCH", "/v1/proposals", "GET, HEAD, POST"),
        ("OPTIONS", "/v1/network", "GET, HEAD"),
        ("PUT", "/log/checkpoint", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_answered_with_the_right_ones(house: House, method: str, path: str, takes: str) -> None:
    answer = house.client.request(method, path)
    check_refused(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"] == takes


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/runs?limt=3", "query: 'limt' is no parameter of /v1/runs: it takes after, limit"),
        ("/v1/network?fresh=1", "query: 'fresh' is no parameter of /v1/network: it takes none"),
        ("/log/checkpoint?size=3", "query: 'size' is no parameter of /log/checkpoint: it takes none"),
        ("/v1/balances/work?account=0x00&Account=0x00", "'Account' is no parameter"),
    ],
)
def test_a_parameter_that_nobody_reads_is_refused(house: House, path: str, words: str) -> None:
    answer = house.client.get(path)
    check_refused(answer, 422, "unknown-parameter")
    assert words in answer.json()["detail"]


def test_scripts_of_other_pages_read_answers_only_if_allowed(house: House) -> None:
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    assert "Access-Control-Allow-Origin" not in house.client.get("/v1/runs", headers={"Origin": PAGE}).headers
    assert house.client.options("/v1/runs", headers=asks).status_code == 405
    settings = house.app.state.settings.model_copy(update={"allow_origins": (PAGE,)})
    with TestClient(create_app(settings, house.ledger)) as client:
        assert client.get("/v1/runs", headers={"Origin": PAGE}).headers["Access-Control-Allow-Origin"] == PAGE
        assert client.options("/v1/runs", headers=asks).headers["Access-Control-Allow-Origin"] == PAGE
        other = client.get("/v1/runs", headers={"Origin": "https://example.com"})
        assert "Access-Control-Allow-Origin" not in other.headers
        assert client.head("/v1/runs", headers={"Origin": PAGE}).content == b""
