"""Real nodes and verifiers behind a server that lies in all it can: what they believe is the log, and bytes by digest.

Between them and the real server stands the hostile one. It spoils every blob, thanks for messages and drops them the
first time, answers draws with segments of its own, lists mirrors that are none, and has a lie for every view.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from blake3 import blake3
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.mirrors.served_model import PATH
from contracts.mirrors.tickets import HEADER
from ledger.books import log
from tests.deployed import key_of, verifier_keys
from tests.service.stage import GENESIS, Stage, address_of, halt, staged, wallet

pytestmark = pytest.mark.integration
HONEST, CANARY, CHEAT = "ada", "can", "cal"
TRUE = 1
DROPPED = ("verdict", "trace-reveal", "round-secret", "state-opening", "pledge-reveal", "commitment", "seen", "has")
"""Kinds of messages of which none is entered when its author brings it."""
BELIEVED = ("/log/", "/v1/messages", "/v1/blobs/", "/v1/mirrors", "/v1/epochs/", "/v1/faults/", "/v1/node-faults/")
"""What processes of nodes and verifiers ask a server for: the log, and where to bring what they signed."""


class HostileServer:
    """A lying server in front of the real one."""

    def __init__(self, real: str) -> None:
        self._real = httpx.Client(base_url=real, timeout=30)
        self.asked: list[tuple[str, str]] = []
        self.dropped: dict[str, str] = {}
        """Kinds of what was thanked for and not entered, by the digest of its text."""
        self.spoilt = 0
        self.pledges: list[str] = []
        """The log's kinds when a pledge came."""

    def app(self) -> Starlette:
        """All paths, one function."""

        async def answer(request: Request) -> Response:
            data = await request.body()
            return await run_in_threadpool(self._answer, request, data)

        return Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST", "PUT"])])

    def _answer(self, request: Request, data: bytes) -> Response:
        path, method = request.url.path, request.method
        self.asked.append((method, path))
        if path == "/v1/messages":
            return self._message(data)
        if path.startswith("/v1/blobs/") and method == "GET":
            return self._blob(path)
        if path == "/v1/mirrors":
            return self._mirrors()
        if not path.startswith(BELIEVED):
            return JSONResponse({"round": 30, "segments": [0], "samples": 1, "pledge_wanted": True, "state": "posted"})
        return self._pass(method, path, data, request.headers.get(HEADER))

    def _message(self, data: bytes) -> Response:
        name, kind = blake3(data).hexdigest(), str(json.loads(data)["kind"])
        if kind in DROPPED and name not in self.dropped:
            self.dropped[name] = kind
            return JSONResponse({"digest": "0x" + "00" * 32, "index": 1, "entered": 9, "segments": [0], "round": 30})
        return self._pass("POST", "/v1/messages", data)

    def _blob(self, path: str) -> Response:
        found = self._real.get(path)
        if found.status_code != 200 or not found.content:
            return Response("<html>bad gateway</html>", 502)
        self.spoilt += 1
        return Response(found.content[:-1] + bytes([found.content[-1] ^ 1]))

    def _mirrors(self) -> Response:
        shown = self._real.get("/v1/mirrors").json()
        false = [{**line, "url": "http://127.0.0.1:9"} for line in shown["mirrors"]]
        return JSONResponse({"mirrors": [*false, *shown["mirrors"]], "evidence": []})

    def _pass(self, method: str, path: str, data: bytes, ticket: str | None = None) -> Response:
        headers = {"Content-Type": "application/json"} | ({HEADER: ticket} if ticket is not None else {})
        found = self._real.request(method, path, content=data, headers=headers)
        return Response(found.content, found.status_code, media_type=found.headers.get("content-type"))


@contextmanager
def in_front_of(stage: Stage) -> Iterator[tuple[HostileServer, str]]:
    """The hostile server and its address."""
    hostile = HostileServer(stage.api)
    server = uvicorn.Server(uvicorn.Config(hostile.app(), port=0, log_level="error", timeout_graceful_shutdown=3))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield hostile, address_of(server)
    halt(server, thread)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, HostileServer]]:
    """One round: an honest node, a canary and a cheat, all of whom know the hostile server alone."""
    with staged(tmp_path_factory.mktemp("hostile")) as stage, in_front_of(stage) as (hostile, api):
        stage.wait("the chain in the log", lambda: stage.client.get("/log/size")["size"] > 1)
        stage.open_run(rounds=1, nodes=3, samples=4, beacon_span=10)
        for number in range(3):
            stage.start(f"verifier {number}", stage.verifier(number, api).run)
        stage.start(HONEST, stage.node(HONEST, api).take_part)
        stage.start(CANARY, stage.node(CANARY, api, canary_ppm=1_000_000).take_part)
        stage.start(CHEAT, stage.node(CHEAT, api, cheat="skip-middle").take_part)
        stage.wait("the run's end", lambda: stage.client.get(f"/runs/{stage.run}")["phase"] == "over", 700)
        yield stage, hostile


def proof_of(stage: Stage, name: str) -> dict[str, Any]:
    lines = stage.client.get(f"/runs/{stage.run}/proofs")
    (line,) = [line for line in lines if line["node"] == key_of(name).address]
    return dict(stage.client.get(f"/proofs/{line['proof']}"))


def entries_of(stage: Stage) -> list[dict[str, Any]]:
    with stage.ledger.store.read() as session:
        return [json.loads(entry.body) for entry in log.bodies(session, 0, 100_000)]


def test_lies_change_no_end(played: tuple[Stage, HostileServer]) -> None:
    """F9, F10, F15, F17, F27: honest work is posted and paid, the cheat is void, and nobody honest loses stake."""
    stage, _ = played
    ends = {name: proof_of(stage, name) for name in (HONEST, CANARY, CHEAT)}
    found = {name: (end["state"], end["reason"], end["at_fault"]) for name, end in ends.items()}
    assert found == {
        HONEST: ("posted", None, None),
        CANARY: ("voided", "canary", False),
        CHEAT: ("voided", "replay-mismatch", True),
    }
    (epoch,) = stage.client.get("/epochs")
    assert len(epoch["signatures"]) >= 2
    lines = stage.client.get("/epochs/1/payouts")["payouts"]
    assert [(line["account"], line["amount"]) for line in lines] == [(wallet(HONEST), str(10**21))]
    registry = VerifierRegistry(stage.ledger.chain.w3, stage.deployment.verifier_registry)
    assert [registry.stake_of(key.address) for key in verifier_keys()] == [GENESIS.min_stake] * 3
    assert stage.client.get(f"/runs/{stage.run}/faults") == []


def test_no_view_is_asked_for(played: tuple[Stage, HostileServer]) -> None:
    """F15, F16, F17 and F26: whom a server's view could mislead has to read one. Whose server it is is asked: who lies
    about that is left alone, as if it were silent."""
    _, hostile = played
    views = {path for _, path in hostile.asked if not path.startswith((*BELIEVED, PATH))}
    views |= {path for method, path in hostile.asked if method == "GET" and path.startswith(BELIEVED[4:])}
    assert views == set()


def test_spoilt_bytes_are_taken_from_mirrors(played: tuple[Stage, HostileServer]) -> None:
    """F10: what does not hash to its name is no word against anybody."""
    stage, hostile = played
    name = proof_of(stage, HONEST)["proof"]
    verdicts = [entry["message"] for entry in entries_of(stage) if entry["kind"] == "verdict"]
    words = [word["word"] for said in verdicts if said["proof"] == name for word in said["words"]]
    assert set(words) == {TRUE}
    assert len(words) >= 3 * 4
    assert hostile.spoilt > 0


def test_what_was_dropped_stands_in_the_log(played: tuple[Stage, HostileServer]) -> None:
    """F9 and F19: mirrors hand it on, and whoever holds what the log lacks signs no epoch."""
    stage, hostile = played
    assert set(hostile.dropped.values()) == set(DROPPED)
    assert [said for name in stage.said for said in stage.said[name] if said.event == "log failed"] == []


def test_secrets_and_pledges_come_when_the_log_asks(played: tuple[Stage, HostileServer]) -> None:
    """F18 and F22: no secret before its panel is drawn, and no pledge before the reading has ended."""
    stage, _ = played
    kinds = [entry["kind"] for entry in entries_of(stage)]
    assert kinds.index("round-secret") > kinds.index("panel-drawn") > kinds.index("beacon-fixed")
    first = min(kinds.index(kind) for kind in ("panel-spoken", "voided"))
    assert kinds.index("pledge-reveal") > first
