"""Epochs, claims and votes over HTTP, on a chain of their own: what is refused, and what is paid and counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from httpx import Response

from contracts.governor import description_of
from contracts.messages import TreeHead, from_json
from contracts.payout_tree import check_proof
from contracts.positional_tree import SHA256_TREE
from contracts.signing import recover
from tests.api.stage import Case, Stage, check_changes_nothing
from tests.world import World, accepted, check_refused, hexed, key_of, octets

pytestmark = pytest.mark.integration
OTHER = b"\x07" * 32


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Epoch 1 is final and both wallets hold half of the tokens; each test makes proposals of its own."""
    with World(tmp_path_factory.mktemp("owned")) as world:
        world.start().play_round()
        world.settle_epoch()
        for wallet in world.wallets:
            world.claim(wallet.address)
        world.wait(2)  # votes count from the second after they were received
        yield world


def _epoch(s: Stage, number: int = 1, **changes: Any) -> Any:
    message = replace(s.world.epoch_message(), **changes)
    return lambda: s.world.post_epoch(s.first, number, message)


def _stranger_signs(s: Stage) -> Any:
    return lambda: s.world.post_epoch(s.world.stranger, 1, s.world.epoch_message())


EPOCHS: dict[str, tuple[int, str, Case]] = {
    "another root": (422, "root-mismatch", lambda s: _epoch(s, root=OTHER)),
    "another total": (422, "root-mismatch", lambda s: _epoch(s, total=1001)),
    "another attempt": (422, "root-mismatch", lambda s: _epoch(s, attempt=1)),
    "another log": (422, "root-mismatch", lambda s: _epoch(s, logRoot=OTHER)),
    "another model": (422, "root-mismatch", lambda s: _epoch(s, model=OTHER)),
    "another epoch": (422, "root-mismatch", lambda s: _epoch(s, epoch=2)),
    "not closed": (404, "not-found", lambda s: _epoch(s, number=2)),
    "a stranger": (403, "not-verifier", _stranger_signs),
    "a number beyond any": (422, "malformed-request", lambda s: _epoch(s, number=2**31)),
    "claim before it is final": (425, "too-early", lambda s: _claim(s, s.world.wallets[0].address)),
    "claim of no address": (422, "malformed-request", lambda s: _claim(s, "nobody")),
    "claim in an epoch to come": (404, "not-found", lambda s: _claim(s, s.world.wallets[0].address, 7)),
}


def _claim(s: Stage, account: str, number: int = 1) -> Any:
    return s.post_json(f"/epochs/{number}/claims", {"account": account})


@pytest.mark.parametrize("name", EPOCHS)
def test_an_epoch_is_refused(stage: Stage, name: str) -> None:
    status, code, case = EPOCHS[name]
    check_changes_nothing(stage.world, case(stage), status, code)


def test_transactions_come_in_pages_and_by_name(owned: World) -> None:
    every = owned.get("/transactions")
    assert len(every) == len({line["id"] for line in every}) >= 3
    paged = [owned.get("/transactions", start=n, limit=1) for n in range(len(every) + 1)]
    assert paged == [[line] for line in every] + [[]]
    wanted = [every[2]["id"], every[0]["id"]]
    assert owned.get("/transactions", call=wanted) == [every[0], every[2]]
    assert owned.get("/transactions", call=["no such call"]) == []
    for refused in ({"limit": 1001}, {"start": -1}, {"call": ["x"] * 201}):
        check_refused(owned.client.get("/v1/transactions", params=refused), 422, "malformed-request")


def test_a_final_epoch_pays_each_line_once_and_nobody_else(owned: World) -> None:
    """Emission 1000 in two halves: claimed twice, minted once; a stranger has no line."""
    token, wallets = owned.ledger.chain.token, [w.address for w in owned.wallets]
    assert [token.balance_of(w) for w in wallets] == [500, 500]
    before = owned.get("/transactions")
    owned.claim(wallets[0])
    assert (token.total_supply(), owned.get("/transactions")) == (1000, before)
    stranger = {"account": owned.stranger.address}
    check_changes_nothing(owned, lambda: owned.client.post("/v1/epochs/1/claims", json=stranger), 404, "not-found")
    books = owned.get("/balances/units")
    asked = [*list(books)[:3], "owed:nobody"]
    assert owned.get("/balances/units", account=asked) == {name: books.get(name, "0") for name in asked}
    assert books["emission:1"] == "-1000"
    assert all((books[f"owed:{w}"], books[f"minted:{w}"]) == ("0", "500") for w in wallets)


def test_a_claim_comes_with_a_proof_that_leads_to_the_root_on_the_chain(owned: World) -> None:
    root = owned.ledger.chain.registry.epoch_of(1).root
    assert hexed(root) == owned.get("/epochs")[0]["root"]
    for wallet in owned.wallets:
        (line,) = owned.get(f"/epochs/1/claims/{wallet.address.lower()}")
        check_proof(octets(line["leaf"]), [octets(n) for n in line["proof"]], root)
        assert line["amount"] == "500"


def _proposal(world: World, decisions: list[tuple[str, str]], /, **changes: Any) -> Any:
    body = {**world.proposal_body(world.wallets[0], "change it", decisions), **changes}
    return lambda: world.client.post("/v1/proposals", json=body)


def test_proposals_that_no_run_could_obey_are_refused(owned: World) -> None:
    good = [("inner_lr", "0.002")]
    bad = [("batch", "4"), ("inner_lr", "7"), ("inner_lr", "1e-3"), ("inner_lr", "NaN"), ("rounds", "-1"), ("x", "")]
    for decision in bad:
        check_changes_nothing(owned, _proposal(owned, [decision]), 422, "invalid-run-config")
        check_changes_nothing(owned, _proposal(owned, [*good, decision]), 422, "invalid-run-config")
    for change in ({"decisions": []}, {"description": ""}, {"deadline": -1}, {"surprise": 1}, {"proposer": "nobody"}):
        check_changes_nothing(owned, _proposal(owned, good, **change), 422, "malformed-request")
    check_changes_nothing(owned, _proposal(owned, good, signature="0x" + "11" * 65), 400, "contract-rejected")
    check_changes_nothing(owned, _proposal(owned, good, description="another"), 422, "bad-field")
    another = description_of("another", owned.wallets[0].address)
    check_changes_nothing(owned, _proposal(owned, good, description=another), 400, "contract-rejected")
    check_changes_nothing(owned, _proposal(owned, good, deadline=1), 400, "contract-rejected")
    lone = json.dumps({**owned.proposal_body(owned.wallets[0], "x", good), "description": "\ud800"}).encode()
    check_changes_nothing(owned, lambda: owned.client.post("/v1/proposals", content=lone), 422, "malformed-request")
    poor = owned.proposal_body(owned.stranger, "no tokens", good)
    check_changes_nothing(owned, lambda: owned.client.post("/v1/proposals", json=poor), 403, "no-votes")


def test_ballots_count_once_and_only_while_the_vote_is_open(owned: World) -> None:
    holder, other = owned.wallets
    unknown = {"voter": holder.address, "support": 1, "signature": "0x" + "11" * 65}
    check_changes_nothing(owned, lambda: owned.client.post("/v1/proposals/1/ballots", json=unknown), 404, "not-found")
    body = owned.proposal_body(holder, "faster", [("inner_lr", "0.002")])
    proposal = accepted(owned.client.post("/v1/proposals", json=body))["proposal"]
    assert owned.get(f"/proposals/{proposal}")["state"] == "relaying"
    check_changes_nothing(owned, lambda: _vote(owned, proposal, unknown), 425, "too-early")
    owned.step()
    early = owned.ballot_body(holder, proposal)
    check_changes_nothing(owned, lambda: _vote(owned, proposal, early), 425, "too-early")
    owned.wait(11)
    assert owned.get(f"/proposals/{proposal}")["state"] == "active"
    forged = {**owned.ballot_body(other, proposal, 0), "voter": holder.address}
    check_changes_nothing(owned, lambda: _vote(owned, proposal, forged), 400, "contract-rejected")
    flipped = {**owned.ballot_body(holder, proposal, 1), "support": 0}
    check_changes_nothing(owned, lambda: _vote(owned, proposal, flipped), 400, "contract-rejected")
    check_changes_nothing(owned, lambda: _vote(owned, proposal, {**early, "support": 3}), 422, "malformed-request")
    cast = owned.ballot_body(holder, proposal, 1)
    accepted(_vote(owned, proposal, cast))
    before = owned.dump()
    accepted(_vote(owned, proposal, cast))
    assert owned.dump() == before
    check_changes_nothing(owned, lambda: owned.vote(holder, proposal, 0), 409, "already-committed")
    owned.step(2)
    assert owned.get(f"/proposals/{proposal}/tally")["governor"] == {"against": "0", "for": "500", "abstain": "0"}
    late = owned.ballot_body(other, proposal, 0)
    owned.wait(21)
    check_changes_nothing(owned, lambda: _vote(owned, proposal, late), 409, "round-closed")


def _vote(world: World, proposal: str, body: dict[str, Any]) -> Response:
    return world.client.post(f"/v1/proposals/{proposal}/ballots", json=body)


def test_a_bad_signature_does_not_take_the_place_of_the_holders_own(owned: World) -> None:
    """Who sees a description and a voter cannot keep them from being relayed by sending garbage first."""
    holder = owned.wallets[0]
    body = owned.proposal_body(holder, "mine", [("outer_lr", "0.5")])
    check_refused(
        owned.client.post("/v1/proposals", json={**body, "signature": "0x" + "22" * 65}), 400, "contract-rejected"
    )
    proposal = accepted(owned.client.post("/v1/proposals", json=body))["proposal"]
    owned.step()
    owned.wait(11)
    garbage = {"voter": holder.address, "support": 0, "signature": "0x" + "22" * 65}
    check_refused(_vote(owned, proposal, garbage), 400, "contract-rejected")
    accepted(owned.vote(holder, proposal, 1))
    owned.step(2)
    assert owned.get(f"/proposals/{proposal}/tally")["api"]["for"] == "500"


def test_the_head_is_signed_and_every_entry_proven_in_it(stage: Stage) -> None:
    w = stage.world
    head = w.get("/log/head")
    size, root = head["message"]["logSize"], octets(head["message"]["logRoot"])
    entries = [e["body"].encode() for e in w.get("/log/entries", limit=1000)["entries"]]
    assert (len(entries), SHA256_TREE.root(entries)) == (size, root)
    signed = from_json(TreeHead, head["message"])
    assert recover(signed, w.domain, octets(head["signature"])) == w.operator.address
    for index, entry in enumerate(entries):
        path = [octets(n) for n in w.get("/log/inclusion", index=index, size=size)["path"]]
        SHA256_TREE.check_inclusion(entry, index, size, path, root)
    for first in range(1, size):
        path = [octets(n) for n in w.get("/log/consistency", first=first, second=size)["path"]]
        SHA256_TREE.check_consistency(first, size, SHA256_TREE.root(entries[:first]), root, path)


def test_waiting_for_news_ends_when_the_log_grows(world: World) -> None:
    world.start()
    size = len(world.log())
    assert world.get("/log/size", above=size - 1, wait=5)["size"] == size
    assert world.get("/log/size", above=size, wait=0)["size"] == size
    world.commit(world.nodes[0])
    assert world.get("/log/size", above=size, wait=5)["size"] == size + 1


def test_the_network_page_names_contracts_verifiers_and_limits(stage: Stage) -> None:
    w, page = stage.world, stage.world.get("/network")
    assert page["deployment"]["governor"] == w.place.deployment.governor
    assert (page["operator"], page["threshold"]) == (w.operator.address, 2)
    assert sorted(page["verifiers"]) == sorted(v.address for v in w.verifiers)
    assert key_of("stranger").address not in page["verifiers"]
