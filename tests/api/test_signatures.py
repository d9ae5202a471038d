"""Every signed route refuses every way in which a signature can be wrong, and nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from eth_keys.constants import SECPK1_N

from contracts.messages import EpochRoot, Message, to_json
from contracts.signing import Domain, sign
from ledger.cosign import ON_CHAIN_SECONDS
from tests.api.stage import Stage, check_changes_nothing
from tests.world import hexed

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Route:
    """A valid request on a route, up to its signature."""

    path: str
    message: Message
    key: LocalAccount
    domain: Domain
    beside: dict[str, Any]


def _opening(stage: Stage) -> Route:
    w, boundary = stage.world, stage.opened[0]
    message = w.opening_message(stage.proof, stage.committed_work, boundary)
    path = [hexed(n) for n in stage.committed_work.trajectory.opening(boundary).proof]
    return Route("/openings", message, stage.committed, w.domain, {"path": path})


ROUTES: dict[str, Callable[[Stage], Route]] = {
    "run": lambda s: Route(
        "/runs", s.world.manifest_message(nonce=9), s.world.creator, s.world.domain,
        {"config": s.world.config.to_json(), "genesis_blob": s.world.run_view()["genesis_blob"]},
    ),
    "enrolment": lambda s: Route(
        f"/runs/{s.world.run}/nodes", s.world.enrolment_message(s.world.stranger), s.world.stranger, s.world.domain,
        {"from_round": 1},
    ),
    "anchor": lambda s: Route(
        f"/runs/{s.world.run}/verifiers", s.world.anchor_message(s.first), s.first, s.world.domain, {}
    ),
    "heartbeat": lambda s: Route("/heartbeats", s.world.heartbeat_message(s.fresh), s.fresh, s.world.domain, {}),
    "proof": lambda s: Route(
        "/proofs", s.world.proof_message(s.work), s.fresh, s.world.domain,
        {"gradient_blob": s.gradient, **s.work.paths},
    ),
    "challenge": lambda s: Route(
        "/challenges", s.world.challenge_message(s.second, s.proof), s.second, s.world.domain, {}
    ),
    "opening": _opening,
    "verdict": lambda s: Route(
        "/verdicts", s.world.verdict_message(s.second, s.proof), s.second, s.world.domain, {}
    ),
    "merge": lambda s: Route(
        "/merges", s.world.merge_message(s.first), s.first, s.world.domain,
        {k: s.world.round_view()[n]["blob"] for k, n in (("theta_blob", "theta"), ("momentum_blob", "momentum"))},
    ),
    "epoch": lambda s: Route(
        "/epochs/1/signatures", s.world.epoch_message(), s.first, s.world.epoch_domain, {"signer": s.first.address}
    ),
}  # fmt: skip


def _by(key: LocalAccount, route: Route, **domain: Any) -> bytes:
    return sign(route.message, replace(route.domain, **domain), bytes(key.key))


def _high_s(signature: bytes) -> bytes:
    """The other signature of the same message and key: (r, n - s, v flipped)."""
    s = SECPK1_N - int.from_bytes(signature[32:64])
    return signature[:32] + s.to_bytes(32) + bytes([55 - signature[64]])


WRONG: dict[str, Callable[[Stage, Route], bytes]] = {
    "another key": lambda s, r: _by(s.world.stranger if r.key != s.world.stranger else s.fresh, r),
    "high s": lambda s, r: _high_s(_by(r.key, r)),
    "v of 0": lambda s, r: _by(r.key, r)[:64] + bytes([_by(r.key, r)[64] - 27]),
    "v of 1": lambda s, r: _by(r.key, r)[:64] + b"\x01",
    "v of 35": lambda s, r: _by(r.key, r)[:64] + b"\x23",
    "64 bytes": lambda s, r: _by(r.key, r)[:64],
    "66 bytes": lambda s, r: _by(r.key, r) + b"\x00",
    "nothing": lambda s, r: b"",
    "zeros": lambda s, r: bytes(64) + b"\x1b",
    "foreign chain": lambda s, r: _by(r.key, r, chain_id=1),
    "foreign contract": lambda s, r: _by(r.key, r, verifying_contract=s.world.place.deployment.token),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("route", ROUTES)
def test_a_wrong_signature_is_refused(stage: Stage, route: str, wrong: str) -> None:
    valid = ROUTES[route](stage)
    body = {"message": to_json(valid.message), "signature": hexed(WRONG[wrong](stage, valid)), **valid.beside}
    check_changes_nothing(stage.world, stage.post_json(valid.path, body), 401, "bad-signature")


@pytest.mark.parametrize("seconds", [-1, 86_401], ids=["expired", "over a day ahead"])
@pytest.mark.parametrize("route", ROUTES)
def test_a_deadline_out_of_bounds_is_refused(stage: Stage, route: str, seconds: int) -> None:
    valid = ROUTES[route](stage)
    if seconds > 0 and isinstance(valid.message, EpochRoot):
        seconds = ON_CHAIN_SECONDS + 1  # what is for the chain must outlive disputes
    late = replace(valid.message, deadline=stage.world.clock.now + seconds)  # type: ignore[call-arg]
    body = {"message": to_json(late), "signature": hexed(_by(valid.key, replace(valid, message=late))), **valid.beside}
    check_changes_nothing(stage.world, stage.post_json(valid.path, body), 422, "message-expired")


@pytest.mark.parametrize("route", ["run", "proof", "challenge", "verdict", "merge", "heartbeat"])
def test_a_signature_of_another_kind_of_message_is_refused(stage: Stage, route: str) -> None:
    valid, other = ROUTES[route](stage), stage.world.anchor_message(stage.first)
    signature = sign(other, valid.domain, bytes(valid.key.key))
    body = {"message": to_json(valid.message), "signature": hexed(signature), **valid.beside}
    check_changes_nothing(stage.world, stage.post_json(valid.path, body), 401, "bad-signature")
