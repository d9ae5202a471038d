"""Epochs, claims and votes over HTTP: what is refused, and what is paid and counted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from httpx import Response

from contracts.bindings.governor import description_of
from contracts.merkle.payout_tree import check_proof
from contracts.messages.for_contracts import EpochRoot, Message, NodeFault, VerifierFault
from tests.api.conftest import Refusal
from tests.deployed import key_of, verifier_keys
from tests.holds import Threat, holds
from tests.house import House, accepted, check_refused

pytestmark = pytest.mark.integration
OTHER = b"\x07" * 32
Case = Callable[[House], Response]


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Epoch 1 is final and both wallets hold half of the tokens; each test makes proposals of its own."""
    with House(tmp_path_factory.mktemp("owned")) as house:
        yield house.become_holders()


def unchanged(house: House, request: Callable[[], Response], status: int, code: str) -> None:
    before = house.dump()
    check_refused(request(), status, code)
    assert house.dump() == before


def _epoch(number: int = 1, signer: LocalAccount | None = None, **changes: Any) -> Case:
    """A signature under the root of epoch 1 with other fields."""

    def send(house: House) -> Response:
        message: EpochRoot = replace(house.root_message(), **changes)
        body = house.cosigned(message, signer or verifier_keys()[0])
        answer: Response = house.client.post(f"/v1/epochs/{number}/signatures", json=body)
        return answer

    return send


def _forged(spoil: Callable[[bytes], bytes]) -> Case:
    def send(house: House) -> Response:
        body = house.cosigned(house.root_message(), verifier_keys()[0])
        spoilt = spoil(bytes.fromhex(body["signature"][2:]))
        answer: Response = house.client.post("/v1/epochs/1/signatures", json={**body, "signature": "0x" + spoilt.hex()})
        return answer

    return send


def _in_anothers_name(house: House) -> Response:
    body = house.cosigned(house.root_message(), verifier_keys()[0])
    answer: Response = house.client.post("/v1/epochs/1/signatures", json={**body, "signer": verifier_keys()[1].address})
    return answer


def _claim(account: str, number: int = 1) -> Case:
    return lambda house: house.client.post(f"/v1/epochs/{number}/claims", json={"account": account})


def _fault(path: str, make: Callable[[House], Message], signer: LocalAccount) -> Case:
    return lambda house: house.client.post(f"/v1/{path}/signatures", json=house.cosigned(make(house), signer))


def _of_node(house: House) -> NodeFault:
    return NodeFault(house.ledger.chain.model, house.run.nodes[0].address, OTHER, 2**64 - 1)


def _of_verifier(house: House) -> VerifierFault:
    return VerifierFault(house.ledger.chain.model, verifier_keys()[1].address, OTHER, 2**64 - 1)


WALLET = "0x" + "12" * 20
EPOCHS: dict[str, tuple[int, str, Case]] = {
    "another root": (422, "root-mismatch", _epoch(root=OTHER)),
    "another total": (422, "root-mismatch", _epoch(total=1001)),
    "another attempt": (422, "root-mismatch", _epoch(attempt=1)),
    "another log": (422, "root-mismatch", _epoch(logRoot=OTHER)),
    "another size of the log": (422, "root-mismatch", _epoch(logSize=2**60)),
    "another model": (422, "root-mismatch", _epoch(model=OTHER)),
    "another epoch": (422, "root-mismatch", _epoch(epoch=2)),
    "not closed": (404, "not-found", _epoch(number=2)),
    "a stranger": (403, "not-verifier", _epoch(signer=key_of("stranger"))),
    "a number beyond any": (422, "malformed-request", _epoch(number=2**31)),
    "in another's name": (401, "bad-signature", _in_anothers_name),
    "a flipped bit": (401, "bad-signature", _forged(lambda s: bytes([s[0] ^ 1]) + s[1:])),
    "cut": (401, "bad-signature", _forged(lambda s: s[:64])),
    "v of 0": (401, "bad-signature", _forged(lambda s: s[:64] + b"\0")),
    "claim before it is final": (409, "too-early", _claim(WALLET)),
    "claim of no address": (422, "malformed-request", _claim("nobody")),
    "claim in an epoch to come": (404, "not-found", _claim(WALLET, 7)),
    "a fault of a node that is none": (404, "not-found", _fault("node-faults", _of_node, verifier_keys()[0])),
    "a fault of a verifier that is none": (404, "not-found", _fault("faults", _of_verifier, verifier_keys()[0])),
    "a fault for the wrong route": (422, "bad-field", _fault("faults", _of_node, verifier_keys()[0])),
}


@pytest.mark.parametrize("name", EPOCHS)
def test_what_is_signed_for_the_chain_is_refused(stage: House, refused: Refusal, name: str) -> None:
    status, code, case = EPOCHS[name]
    refused(lambda: case(stage), status, code)


def test_no_fault_may_be_signed_where_there_is_none(stage: House) -> None:
    assert stage.get("/faults") == []


def test_transactions_come_in_pages_and_by_name(owned: House) -> None:
    every = owned.get("/transactions")
    assert len(every) == len({line["id"] for line in every}) >= 3
    paged = [owned.get("/transactions", after=n, limit=1) for n in (0, *(line["order"] for line in every))]
    assert paged == [[line] for line in every] + [[]]
    wanted = [every[2]["id"], every[0]["id"]]
    assert owned.get("/transactions", call=wanted) == [every[0], every[2]]
    assert owned.get("/transactions", call=["no such call"]) == []
    for refused in ({"limit": 1001}, {"after": -1}, {"call": ["x"] * 201}):
        check_refused(owned.client.get("/v1/transactions", params=refused), 422, "malformed-request")


@holds(
    "Only the account in the leaf is paid, whoever asks",
    by="ledger/epochs/settlement.py:claim",
    against=Threat.WRONG_PAY,
)
def test_a_final_epoch_pays_each_line_once_and_nobody_else(owned: House) -> None:
    """Emission 1000 in two halves: claimed twice, minted once; a stranger has no line."""
    token, wallets = owned.ledger.chain.token, [w.address for w in owned.wallets]
    assert [token.balance_of(w) for w in wallets] == [500, 500]
    before = owned.get("/transactions")
    owned.claim(wallets[0])
    assert (token.total_supply(), owned.get("/transactions")) == (1000, before)
    stranger = {"account": key_of("stranger").address}
    unchanged(owned, lambda: owned.client.post("/v1/epochs/1/claims", json=stranger), 404, "not-found")
    books = owned.get("/balances/units")
    asked = [*list(books)[:3], "owed:nobody"]
    assert owned.get("/balances/units", account=asked) == {name: books.get(name, "0") for name in asked}
    for wallet in (wallets[0], wallets[0].lower()):
        of_it = {f"owed:{wallets[0]}": "0", f"minted:{wallets[0]}": "500"}
        assert owned.get("/balances/units", account=[wallet]) == of_it
    nobody = key_of("stranger").address
    assert owned.get("/balances/units", account=[nobody]) == {f"owed:{nobody}": "0", f"minted:{nobody}": "0"}
    work = owned.get("/balances/work")
    assert owned.get("/balances/work", account=[wallets[1].lower()]) == {wallets[1]: work[wallets[1]]}
    assert int(work[wallets[1]]) > 0
    for book in ("unit", "UNITS", "emission:1"):
        check_refused(owned.client.get(f"/v1/balances/{book}"), 404, "not-found")
    assert books["emission:1"] == "-1000"
    assert all((books[f"owed:{w}"], books[f"minted:{w}"]) == ("0", "500") for w in wallets)


def test_a_claim_has_a_proof_that_leads_to_the_root_on_the_chain(owned: House) -> None:
    root = owned.ledger.chain.registry.epoch_of(1).root
    assert "0x" + root.hex() == owned.get("/epochs")[0]["root"]
    for wallet in owned.wallets:
        (line,) = owned.get(f"/epochs/1/claims/{wallet.address.lower()}")
        check_proof(bytes.fromhex(line["leaf"][2:]), [bytes.fromhex(n[2:]) for n in line["proof"]], root)
        assert line["amount"] == "500"


def _proposal(house: House, decisions: list[tuple[str, str]], /, **changes: Any) -> Any:
    body = {**house.proposal_body(house.wallets[0], "change it", decisions), **changes}
    return lambda: house.client.post("/v1/proposals", json=body)


def test_proposals_that_no_run_could_obey_are_refused(owned: House) -> None:
    good = [("inner_lr", "0.002")]
    bad = [("batch", "4"), ("inner_lr", "7"), ("inner_lr", "1e-3"), ("inner_lr", "NaN"), ("rounds", "-1"), ("x", "")]
    for decision in bad:
        unchanged(owned, _proposal(owned, [decision]), 422, "invalid-run-config")
        unchanged(owned, _proposal(owned, [*good, decision]), 422, "invalid-run-config")
    unchanged(owned, _proposal(owned, good, decisions=[]), 422, "bad-field")
    for change in (
        {"decisions": good * 17},
        {"description": ""},
        {"deadline": -1},
        {"surprise": 1},
        {"proposer": "nobody"},
    ):
        unchanged(owned, _proposal(owned, good, **change), 422, "malformed-request")
    unchanged(owned, _proposal(owned, good, signature="0x" + "11" * 65), 400, "contract-rejected")
    unchanged(owned, _proposal(owned, good, description="another"), 422, "bad-field")
    another = description_of("another", owned.wallets[0].address)
    unchanged(owned, _proposal(owned, good, description=another), 400, "contract-rejected")
    unchanged(owned, _proposal(owned, good, deadline=1), 400, "contract-rejected")
    lone = json.dumps({**owned.proposal_body(owned.wallets[0], "x", good), "description": "\ud800"}).encode()
    unchanged(owned, lambda: owned.client.post("/v1/proposals", content=lone), 422, "malformed-request")
    poor = owned.proposal_body(key_of("stranger"), "no tokens", good)
    unchanged(owned, lambda: owned.client.post("/v1/proposals", json=poor), 403, "no-votes")


@holds("A ballot counts once, while the vote is open", by="ledger/governance/relaying.py:vote", against=Threat.TAKEOVER)
def test_ballots_count_once_and_only_while_the_vote_is_open(owned: House) -> None:
    holder, other = owned.wallets
    unknown = {"voter": holder.address, "support": 1, "signature": "0x" + "11" * 65}
    unchanged(owned, lambda: owned.client.post("/v1/proposals/1/ballots", json=unknown), 404, "not-found")
    body = owned.proposal_body(holder, "faster", [("inner_lr", "0.002")])
    proposal = accepted(owned.client.post("/v1/proposals", json=body))["proposal"]
    assert owned.get(f"/proposals/{proposal}")["state"] == "relaying"
    unchanged(owned, lambda: _vote(owned, proposal, unknown), 409, "too-early")
    owned.step()
    early = owned.ballot_body(holder, proposal)
    unchanged(owned, lambda: _vote(owned, proposal, early), 409, "too-early")
    owned.wait(11)
    assert owned.get(f"/proposals/{proposal}")["state"] == "active"
    forged = {**owned.ballot_body(other, proposal, 0), "voter": holder.address}
    unchanged(owned, lambda: _vote(owned, proposal, forged), 400, "contract-rejected")
    flipped = {**owned.ballot_body(holder, proposal, 1), "support": 0}
    unchanged(owned, lambda: _vote(owned, proposal, flipped), 400, "contract-rejected")
    unchanged(owned, lambda: _vote(owned, proposal, {**early, "support": 3}), 422, "malformed-request")
    cast = owned.ballot_body(holder, proposal, 1)
    accepted(_vote(owned, proposal, cast))
    before = owned.dump()
    accepted(_vote(owned, proposal, cast))
    assert owned.dump() == before
    unchanged(owned, lambda: owned.vote(holder, proposal, 0), 409, "already-committed")
    owned.step(2)
    assert owned.get(f"/proposals/{proposal}/tally")["governor"] == {"against": "0", "for": "500", "abstain": "0"}
    late = owned.ballot_body(other, proposal, 0)
    owned.wait(21)
    unchanged(owned, lambda: _vote(owned, proposal, late), 409, "vote-closed")


def _vote(house: House, proposal: str, body: dict[str, Any]) -> Response:
    answer: Response = house.client.post(f"/v1/proposals/{proposal}/ballots", json=body)
    return answer


def test_a_bad_signature_does_not_displace_the_holders_own(owned: House) -> None:
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


def test_waiting_for_news_ends_when_the_log_grows(house: House) -> None:
    house.start()
    size = len(house.log())
    assert house.get("/log/size", above=size - 1, wait=5)["size"] == size
    assert house.get("/log/size", above=size, wait=0)["size"] == size
    house.run.commit(house.run.nodes[0])
    assert house.get("/log/size", above=size, wait=5)["size"] == size + 1


def test_the_network_page_names_contracts_verifiers_and_limits(stage: House) -> None:
    page = stage.get("/network")
    assert page["deployment"]["governor"] == stage.place.deployment.governor
    assert page["deployment"]["log"] == stage.place.deployment.log
    assert (page["operator"], page["threshold"]) == (stage.operator.address, 2)
    assert sorted(page["verifiers"]) == sorted(v.address for v in verifier_keys())
    assert key_of("stranger").address not in page["verifiers"]
