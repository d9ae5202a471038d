"""Code and data: who can vouch, that each is credited once, and that one root pays all kinds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from httpx import Response

from contracts.contribution import Contribution
from contracts.log_audit import Kind
from contracts.maintainers import Maintainers
from contracts.messages import CodeContribution, DataContribution, to_json
from contracts.signing import sign
from tests.world import World, hexed, key_of

pytestmark = pytest.mark.integration
MAINTAINERS = sorted((key_of(f"maintainer {i}") for i in range(3)), key=lambda a: a.address)
AUTHOR = key_of("author").address


@pytest.fixture
def vouched(world: World) -> World:
    """A run of two of three maintainers, with 70 : 20 : 10 for compute, code and data."""
    rules = str(Maintainers(2, tuple(m.address for m in MAINTAINERS)))
    world.config = replace(world.config, maintainers=rules, compute_weight=70, code_weight=20, data_weight=10)
    return world.start(emission=1000)


def code(world: World, **changes: Any) -> CodeContribution:
    said = CodeContribution(world.ledger.chain.model, "git:models", "ab" * 20, AUTHOR, 5, world.clock.now + 100)
    return replace(said, **changes)


def data(world: World, **changes: Any) -> DataContribution:
    said = DataContribution(world.ledger.chain.model, b"\5" * 32, "CC-BY-4.0", AUTHOR, 7, world.clock.now + 100)
    return replace(said, **changes)


def post(world: World, message: Contribution, /, *signers: LocalAccount, **beside: Any) -> Response:
    domain = world.ledger.chain.domain
    signatures = {s.address: hexed(sign(message, domain, bytes(s.key))) for s in signers or MAINTAINERS[:2]}
    body = {"contribution": type(message).__name__, "message": to_json(message), "signatures": signatures, **beside}
    return world.client.post(f"/v1/runs/{world.run}/contributions", json=body)


def credited(world: World) -> list[dict[str, Any]]:
    return list(world.get(f"/runs/{world.run}/contributions"))


def test_one_root_pays_compute_code_and_data_exactly(vouched: World) -> None:
    assert post(vouched, code(vouched)).status_code == 200
    other = key_of("other author").address
    assert post(vouched, code(vouched, commit="cd" * 20, author=other, weight=15)).status_code == 200
    assert post(vouched, data(vouched)).status_code == 200
    vouched.play_round()
    paid = {(line["account"], line["kind"]): int(line["amount"]) for line in vouched.payouts(1)}
    assert paid[AUTHOR, int(Kind.CODE)] == 50
    assert paid[other, int(Kind.CODE)] == 150
    assert paid[AUTHOR, int(Kind.DATA)] == 100
    assert sum(amount for (_, kind), amount in paid.items() if kind == Kind.COMPUTE) == 700
    assert sum(paid.values()) == 1000


def test_a_contribution_is_paid_by_one_epoch_only(vouched: World) -> None:
    post(vouched, code(vouched))
    vouched.play_round()
    vouched.play_round()
    assert {line["kind"] for line in vouched.payouts(1)} == {0, 1}
    assert {line["kind"] for line in vouched.payouts(2)} == {0}


def test_the_same_again_changes_nothing(vouched: World) -> None:
    first, second = post(vouched, code(vouched)), post(vouched, code(vouched), *MAINTAINERS[1:])
    assert first.json() == second.json()
    assert len(credited(vouched)) == len(vouched.log("contribution-credited")) == 1


@pytest.mark.parametrize(
    ("change", "code_of"),
    [
        ({"weight": 6}, "already-committed"),
        ({"author": key_of("thief").address}, "already-committed"),
    ],
    ids=["another-weight", "another-author"],
)
def test_a_commit_is_credited_once_whatever_is_said_of_it(vouched: World, change: dict[str, Any], code_of: str) -> None:
    post(vouched, code(vouched))
    refused = post(vouched, code(vouched, **change))
    assert (refused.status_code, refused.json()["code"]) == (409, code_of)
    assert len(credited(vouched)) == 1


@pytest.mark.parametrize(
    ("signers", "status", "problem"),
    [
        (MAINTAINERS[:1], 403, "not-maintainer"),
        ([MAINTAINERS[0], key_of("stranger")], 403, "not-maintainer"),
        ([*MAINTAINERS, key_of("stranger")], 403, "not-maintainer"),
    ],
    ids=["one-of-two", "a-stranger-for-the-second", "a-stranger-beside-enough"],
)
def test_less_than_a_quorum_of_maintainers_is_refused(
    vouched: World, signers: list[LocalAccount], status: int, problem: str
) -> None:
    refused = post(vouched, code(vouched), *signers)
    assert (refused.status_code, refused.json()["code"]) == (status, problem)
    assert credited(vouched) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"model": b"\1" * 32}, "binding-mismatch"),
        ({"weight": 0}, "weight-refused"),
        ({"weight": 2**128}, "weight-refused"),
        ({"deadline": 1}, "message-expired"),
    ],
    ids=["another-model", "no-weight", "a-weight-that-overflows", "late"],
)
def test_a_contribution_that_does_not_fit_is_refused(vouched: World, change: dict[str, Any], problem: str) -> None:
    refused = post(vouched, code(vouched, **change))
    assert refused.json()["code"] == problem
    assert credited(vouched) == []


def test_a_signature_under_something_else_is_refused(vouched: World) -> None:
    domain = vouched.ledger.chain.domain
    forged = {
        MAINTAINERS[0].address: hexed(sign(code(vouched), domain, bytes(MAINTAINERS[0].key))),
        MAINTAINERS[1].address: hexed(sign(code(vouched, weight=1), domain, bytes(MAINTAINERS[1].key))),
    }
    refused = post(vouched, code(vouched), signatures=forged)
    assert refused.json()["code"] == "bad-signature"
    assert credited(vouched) == []


@pytest.mark.parametrize("text", ["", "a" * 201, "line\nbreak", "é"], ids=["empty", "long", "newline", "not-ascii"])
def test_a_repository_that_is_no_plain_text_is_refused(vouched: World, text: str) -> None:
    body = to_json(code(vouched)) | {"repo": text}
    refused = post(vouched, code(vouched), message=body)
    assert refused.json()["code"] == "bad-field"


def test_nobody_vouches_in_a_run_without_maintainers(world: World) -> None:
    world.start()
    refused = post(world, code(world))
    assert refused.json()["code"] == "not-maintainer"


def test_an_epoch_without_verified_compute_leaves_contributions_to_the_next(vouched: World) -> None:
    """Maintainers alone cannot have an emission paid."""
    post(vouched, code(vouched))
    for node in vouched.nodes:
        key = vouched.commit(node)
        vouched.step()
        vouched.decide(key, 2)
    vouched.step()
    vouched.close_round()
    assert vouched.get("/epochs") == []
    vouched.play_round()
    assert {line["kind"] for line in vouched.payouts(1)} == {0, 1}


def test_what_one_run_has_credited_no_other_run_of_the_model_credits_again(vouched: World) -> None:
    assert post(vouched, code(vouched)).status_code == 200
    first, vouched.run = vouched.run, vouched.create_run(emission=2000, nonce=2)
    answer = post(vouched, code(vouched))
    assert (answer.status_code, answer.json()["code"], first in answer.json()["detail"]) == (
        409,
        "already-committed",
        True,
    )
    assert credited(vouched) == []
