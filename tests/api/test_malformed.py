"""Whatever arrives, the answer is a problem document: malformed bodies, unknown fields, huge numbers, wrong paths."""

from __future__ import annotations

from typing import Any

import pytest
from httpx import Response

from api.body_size import MAX_JSON_BYTES
from contracts.messages import to_json
from tests.api.stage import Stage, check_changes_nothing
from tests.world import World, check_refused

pytestmark = pytest.mark.integration

POSTS = (
    "/runs", "/runs/{run}/nodes", "/runs/{run}/verifiers", "/heartbeats", "/proofs", "/challenges", "/openings",
    "/verdicts", "/merges", "/epochs/1/signatures", "/epochs/1/claims", "/proposals", "/proposals/1/ballots",
)  # fmt: skip
BODIES: dict[str, bytes] = {
    "not JSON": b"{",
    "nothing": b"",
    "a list": b"[]",
    "null": b"null",
    "not UTF-8": b'{"message": "\xff"}',
    "too deep": b"[" * 100_000,
    "an unknown field alone": b'{"surprise": 1}',
}


def _post(stage: Stage, path: str, content: bytes) -> Response:
    target = "/v1" + path.format(run=stage.world.run)
    return stage.world.client.post(target, content=content, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("path", POSTS)
def test_a_malformed_body_is_refused(stage: Stage, path: str, body: str) -> None:
    before, unreadable = stage.world.dump(), body in ("not UTF-8", "too deep")
    check_refused(_post(stage, path, BODIES[body]), 400 if unreadable else 422, "malformed-request")
    assert stage.world.dump() == before


FIELDS: dict[str, tuple[int, str, dict[str, Any]]] = {
    "unknown field beside": (422, "malformed-request", {"surprise": 1}),
    "signature not hex": (422, "malformed-request", {"signature": "0xzz"}),
    "signature endless": (422, "malformed-request", {"signature": "0x" + "11" * 500}),
    "message not an object": (422, "malformed-request", {"message": [1]}),
    "unknown field inside": (422, "bad-field", {"message": {"surprise": 1}}),
    "field missing": (422, "bad-field", {"message": {"proof": None}}),
    "number as text": (422, "bad-field", {"message": {"stage": "1"}}),
    "number as float": (422, "bad-field", {"message": {"stage": 1.0}}),
    "number as truth": (422, "bad-field", {"message": {"stage": True}}),
    "number too large": (422, "bad-field", {"message": {"stage": 256}}),
    "number negative": (422, "bad-field", {"message": {"stage": -1}}),
    "uint256 as number": (422, "bad-field", {"message": {"measured": 1}}),
    "uint256 with leading zero": (422, "bad-field", {"message": {"measured": "01"}}),
    "uint256 too large": (422, "bad-field", {"message": {"measured": str(2**256)}}),
    "digest too short": (422, "bad-field", {"message": {"proof": "0x00"}}),
    "digest as number": (422, "bad-field", {"message": {"proof": 7}}),
    "address not one": (422, "bad-field", {"message": {"verifier": "0x" + "zz" * 20}}),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_misfitting_field_is_refused(stage: Stage, name: str) -> None:
    status, code, change = FIELDS[name]
    message = to_json(stage.world.verdict_message(stage.second, stage.proof))
    body: dict[str, Any] = {"message": message, "signature": "0x" + "11" * 65, **change}
    if isinstance(change.get("message"), dict):
        body["message"] = {k: v for k, v in {**message, **change["message"]}.items() if v is not None}
    check_changes_nothing(stage.world, stage.post_json("/verdicts", body), status, code)


HUGE = 2**70
GETS: dict[str, tuple[int, str]] = {
    "/nowhere": (404, "not-found"),
    "/runs/0x00": (404, "not-found"),
    "/runs/0x00/rounds/1": (404, "not-found"),
    "/runs/{run}/rounds/99": (404, "not-found"),
    f"/runs/{{run}}/rounds/{HUGE}": (422, "malformed-request"),
    "/runs/{run}/rounds/one": (422, "malformed-request"),
    "/proofs/0x00": (404, "not-found"),
    "/proofs/0x00/status": (404, "not-found"),
    "/epochs/9/claims/0x" + "11" * 20: (404, "not-found"),
    "/epochs/1/claims/0x" + "11" * 20: (404, "not-found"),
    "/epochs/1/claims/nobody": (422, "malformed-request"),
    f"/epochs/{HUGE}/claims/0x" + "11" * 20: (422, "malformed-request"),
    "/proposals/1": (404, "not-found"),
    "/proposals/one/tally": (404, "not-found"),
    "/log/inclusion?index=0&size=99999": (404, "not-found"),
    "/log/inclusion?index=5&size=5": (422, "invalid-merkle-proof"),
    "/log/inclusion?index=-1&size=5": (422, "malformed-request"),
    f"/log/inclusion?index=0&size={HUGE}": (422, "malformed-request"),
    "/log/consistency?first=0&second=5": (422, "invalid-merkle-proof"),
    "/log/consistency?first=6&second=5": (422, "invalid-merkle-proof"),
    f"/log/entries?start={HUGE}": (422, "malformed-request"),
    "/log/entries?limit=1001": (422, "malformed-request"),
    "/log/size?wait=1e9": (422, "malformed-request"),
    "/log/size?wait=nan": (422, "malformed-request"),
}


@pytest.mark.parametrize("path", GETS)
def test_a_question_without_an_answer_is_a_problem(stage: Stage, path: str) -> None:
    status, code = GETS[path]
    check_refused(stage.world.client.get("/v1" + path.format(run=stage.world.run)), status, code)


@pytest.mark.parametrize("path", POSTS)
def test_a_body_above_the_limit_is_refused(stage: Stage, path: str) -> None:
    before = stage.world.dump()
    padded = b'{"message": {}, "padding": "' + bytes(MAX_JSON_BYTES).replace(b"\0", b"x") + b'"}'
    check_refused(_post(stage, path, padded), 413, "body-too-large")
    assert stage.world.dump() == before


def test_a_wrong_method_is_a_problem(stage: Stage) -> None:
    check_refused(stage.world.client.delete("/v1/runs"), 405, "method-not-allowed")


def test_a_bug_is_a_problem_and_tells_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret of the server")

    monkeypatch.setattr("ledger.enrolment.heartbeat", broken)
    answer = world.start().post("/heartbeats", world.heartbeat_message(world.nodes[0]), world.nodes[0])
    check_refused(answer, 500, "internal-error")
    assert "secret" not in answer.text
