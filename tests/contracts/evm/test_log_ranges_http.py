"""The same over HTTP, where a refusal is a status, a page, a connection that breaks, or nothing at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any, cast

import pytest
from requests import Response
from requests.exceptions import ConnectionError as NotConnected
from requests.exceptions import HTTPError, Timeout

from contracts.chain.connection import connect
from contracts.evm import nodes
from contracts.evm.errors import ChainUnavailable
from contracts.evm.log_ranges import Wanted, logs
from tests.between import listening
from tests.limited_rpc import REFUSALS, WEATHER, Limited, Written, refused

pytestmark = pytest.mark.integration

ADDRESS = "0x" + "11" * 20
WRITTEN = [(block, 0) for block in range(0, 300, 7)]
ENOUGH_SECONDS = 2.0


class Served(BaseHTTPRequestHandler):
    """Hands each request to `rpc`; `over` ends those that are never answered."""

    rpc: Limited
    over: threading.Event

    def do_POST(self) -> None:
        """One request of JSON-RPC."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            self._answer(200, json.dumps(self.rpc.handle(request)).encode())
        except HTTPError as error:
            response = cast(Response, error.response)
            self._answer(response.status_code, response.content)
        except Timeout:
            self.over.wait()
        except NotConnected:
            self.close_connection = True
            self.connection.close()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def serving(rpc: Limited) -> Iterator[str]:
    """The address where it listens."""
    over = threading.Event()
    with listening(type("Serving", (Served,), {"rpc": rpc, "over": over})) as url:
        try:
            yield url
        finally:
            over.set()


def read(url: str, timeout: float = 30.0, patience: float = 5.0) -> list[tuple[int, int]]:
    found = logs(connect(url, timeout=timeout, patience=patience), Wanted((ADDRESS,)), 0, 299)
    return [(log["blockNumber"], log["logIndex"]) for log in found]


@pytest.mark.parametrize("refusal", [name for name in REFUSALS if name != "silence"])
def test_refusals_over_http_cost_no_log(refusal: str) -> None:
    rpc = Limited(Written(ADDRESS, 300, WRITTEN).handle, 100, REFUSALS[refusal])
    with serving(rpc) as url:
        assert read(url) == WRITTEN
    assert rpc.asked[0] == (0, 299)


def test_silence_over_a_range_is_a_refusal() -> None:
    rpc = Limited(Written(ADDRESS, 300, WRITTEN).handle, 100, REFUSALS["silence"])
    with serving(rpc) as url:
        assert read(url, ENOUGH_SECONDS) == WRITTEN
    assert rpc.asked[:2] == [(0, 299), (0, 29)]


@pytest.mark.parametrize("weather", WEATHER)
def test_weather_over_http_is_tried_again_and_passes(monkeypatch: pytest.MonkeyPatch, weather: str) -> None:
    monkeypatch.setattr(nodes, "FIRST_PAUSE", 0.001)

    class Gusty(Limited):
        """The first two requests meet the weather."""

        def handle(self, request: Mapping[str, Any]) -> Any:
            self.asked.append((0, 0))
            return super().handle(request) if len(self.asked) > 2 else refused(request, WEATHER[weather])

    rpc = Gusty(Written(ADDRESS, 300, WRITTEN).handle, 300)
    with serving(rpc) as url:
        assert read(url) == WRITTEN
    always = Limited(Written(ADDRESS, 300, []).handle, 0, WEATHER[weather])
    with serving(always) as url, pytest.raises(ChainUnavailable):
        read(url, patience=0.0)
    assert always.asked == [(0, 299)], "the connection is patient, and nobody else"
