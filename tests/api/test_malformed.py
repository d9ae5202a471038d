"""Whatever arrives, the answer is a problem document: malformed bodies, unknown fields, huge numbers, wrong paths."""

from __future__ import annotations

from typing import Any

import pytest
from httpx import Response

from api.http.body_size import MAX_JSON_BYTES
from contracts.messages import for_log as messages
from contracts.protocol.log.codec import canonical
from tests.api.conftest import Refusal
from tests.deployed import verifier_keys
from tests.house import House, check_refused

pytestmark = pytest.mark.integration

POSTS = (
    "/epochs/1/signatures",
    "/faults/signatures",
    "/node-faults/signatures",
    "/epochs/1/claims",
    "/proposals",
    "/proposals/1/ballots",
)
"""All that take JSON; /messages has tests of its own."""
BODIES: dict[str, bytes] = {
    "not JSON": b"{",
    "nothing": b"",
    "a list": b"[]",
    "null": b"null",
    "not UTF-8": b'{"message": "\xff"}',
    "too deep": b"[" * 100_000,
    "an unknown field alone": b'{"surprise": 1}',
}


def _post(stage: House, path: str, content: bytes) -> Response:
    answer: Response = stage.client.post("/v1" + path, content=content, headers={"Content-Type": "application/json"})
    return answer


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("path", POSTS)
def test_a_malformed_body_is_refused(stage: House, refused: Refusal, path: str, body: str) -> None:
    status = 400 if body in ("not UTF-8", "too deep") else 422
    refused(lambda: _post(stage, path, BODIES[body]), status, "malformed-request")


@pytest.mark.parametrize("path", POSTS)
def test_a_body_above_the_limit_is_refused(stage: House, refused: Refusal, path: str) -> None:
    padded = b'{"message": {}, "padding": "' + b"x" * MAX_JSON_BYTES + b'"}'
    refused(lambda: _post(stage, path, padded), 413, "body-too-large")


FIELDS: dict[str, tuple[int, str, dict[str, Any]]] = {
    "unknown field beside": (422, "malformed-request", {"surprise": 1}),
    "signature not hex": (422, "malformed-request", {"signature": "0xzz"}),
    "signature endless": (422, "malformed-request", {"signature": "0x" + "11" * 500}),
    "signer no address": (422, "malformed-request", {"signer": "nobody"}),
    "message not an object": (422, "malformed-request", {"message": [1]}),
    "unknown field inside": (422, "bad-field", {"message": {"surprise": 1}}),
    "field missing": (422, "bad-field", {"message": {"root": None}}),
    "number as text": (422, "bad-field", {"message": {"epoch": "1"}}),
    "number with a fraction": (422, "bad-field", {"message": {"epoch": 1.5}}),
    "number as truth": (422, "bad-field", {"message": {"epoch": True}}),
    "number too large": (422, "bad-field", {"message": {"deadline": str(2**64)}}),
    "number beyond what JSON holds": (422, "bad-field", {"message": {"deadline": 2**53}}),
    "number negative": (422, "bad-field", {"message": {"epoch": -1}}),
    "uint256 as number": (422, "bad-field", {"message": {"total": 1}}),
    "uint256 with leading zero": (422, "bad-field", {"message": {"total": "01"}}),
    "uint256 too large": (422, "bad-field", {"message": {"total": str(2**256)}}),
    "digest too short": (422, "bad-field", {"message": {"root": "0x00"}}),
    "digest as number": (422, "bad-field", {"message": {"root": 7}}),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_misfitting_field_is_refused(stage: House, refused: Refusal, name: str) -> None:
    status, code, change = FIELDS[name]
    good = stage.cosigned(stage.root_message(), verifier_keys()[0])
    body = {**good, **change}
    if isinstance(change.get("message"), dict):
        body["message"] = {k: v for k, v in {**good["message"], **change["message"]}.items() if v is not None}
    refused(lambda: stage.client.post("/v1/epochs/1/signatures", json=body), status, code)


HUGE = 2**70
GETS: dict[str, tuple[int, str]] = {
    "/nowhere": (404, "not-found"),
    "/runs/0x00": (422, "malformed-request"),
    "/runs/0x" + "00" * 32: (404, "not-found"),
    "/runs/0x" + "AA" * 32: (422, "malformed-request"),
    "/runs/0x" + "00" * 32 + "/rounds/1": (404, "not-found"),
    "/runs/{run}/rounds/99": (404, "not-found"),
    f"/runs/{{run}}/rounds/{HUGE}": (422, "malformed-request"),
    "/runs/{run}/rounds/one": (422, "malformed-request"),
    "/runs/{run}/proofs?limit=1001": (422, "malformed-request"),
    f"/runs/{{run}}/proofs?first={HUGE}": (422, "malformed-request"),
    "/proofs/0x00": (422, "malformed-request"),
    "/proofs/0x" + "00" * 32: (404, "not-found"),
    "/epochs/9/payouts": (404, "not-found"),
    "/epochs/1/payouts?limit=1001": (422, "malformed-request"),
    "/epochs/9/claims/0x" + "11" * 20: (404, "not-found"),
    "/epochs/1/claims/0x" + "11" * 20: (404, "not-found"),
    "/epochs/1/claims/nobody": (422, "malformed-request"),
    f"/epochs/{HUGE}/claims/0x" + "11" * 20: (422, "malformed-request"),
    "/receipts/9/0x" + "11" * 20: (404, "not-found"),
    "/proposals/1": (404, "not-found"),
    "/proposals/one/tally": (404, "not-found"),
    f"/log/entries?start={HUGE}": (422, "malformed-request"),
    "/log/entries?limit=1001": (422, "malformed-request"),
    "/log/size?wait=1e9": (422, "malformed-request"),
    "/log/size?wait=nan": (422, "malformed-request"),
}


@pytest.mark.parametrize("path", GETS)
def test_a_question_without_an_answer_is_a_problem(stage: House, path: str) -> None:
    status, code = GETS[path]
    run = "0x" + stage.run.run.hex()
    check_refused(stage.client.get("/v1" + path.format(run=run)), status, code)


@pytest.mark.parametrize(
    "path", ["/v1/runs/%00", "/v1/proofs/a%00b", "/v1/blobs/%00", "/v1/proposals/%00", "/v1/runs/%ff", "/log/%00"]
)
def test_no_name_holds_a_zero_byte(stage: House, path: str) -> None:
    """Text that one of the databases cannot hold: refused, never a failure of the server."""
    answer = stage.client.get(path)
    check_refused(answer, answer.status_code, answer.json()["code"])
    assert 400 <= answer.status_code < 500, answer.text


def test_a_wrong_method_is_a_problem(stage: House) -> None:
    check_refused(stage.client.delete("/v1/runs"), 405, "method-not-allowed")


def test_a_bug_is_a_problem_and_tells_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was about to be entered is not."""
    house.start().run.commit_all()
    before, verifier = house.dump(), verifier_keys()[0]
    closed = house.run.round.closed_at
    message = messages.Seen(house.run.run, 1, verifier.address, closed, house.run.root_at(closed))

    def broken(*_: object) -> None:
        raise RuntimeError("secret of the server")

    monkeypatch.setattr("ledger.machine.replica.cause", broken)
    body = {"kind": "seen", **house.run.envelope(message, verifier).body()}
    answer = house.client.post("/v1/messages", content=canonical(body).encode())
    check_refused(answer, 500, "internal-error")
    assert "secret" not in answer.text
    assert house.dump() == before
