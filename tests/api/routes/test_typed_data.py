"""What a wallet has to sign can be asked for; it is what the clients make themselves."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

from contracts.bindings.governor import description_of
from contracts.bindings.token import Delegation
from contracts.ids import to_hex
from contracts.messages.for_contracts import ClaimTo, EpochRoot, to_json
from contracts.messages.for_log import Contribution
from contracts.messages.signatures import Domain, digest
from tests.deployed import PARAMS, key_of
from tests.house import House, accepted, check_refused

pytestmark = pytest.mark.integration
ELSEWHERE = key_of("cold wallet").address


def ask(house: House, action: str, **fields: Any) -> dict[str, Any]:
    """The answer, whose own digest is that of its parts, as a wallet hashes them."""
    said = accepted(house.client.post("/v1/typed-data", json={"action": action, **fields}))
    assert said["digest"] == to_hex(hashed(said))
    return dict(said)


def whole(said: dict[str, Any]) -> dict[str, Any]:
    """Numbers that came as text are numbers again, as a wallet reads them by their types."""
    kinds = {field["name"]: field["type"] for field in said["types"][said["primaryType"]]}
    message = {name: int(v) if kinds[name].startswith("uint") else v for name, v in said["message"].items()}
    return {**{name: said[name] for name in ("domain", "types", "primaryType")}, "message": message}


def hashed(said: dict[str, Any]) -> bytes:
    from eth_utils.crypto import keccak

    encoded = encode_typed_data(full_message=whole(said))
    return keccak(b"\x19" + encoded.version + encoded.header + encoded.body)


def signed(said: dict[str, Any], account: LocalAccount) -> str:
    """By a wallet that was given nothing but the answer."""
    return to_hex(Account.sign_message(encode_typed_data(full_message=whole(said)), account.key).signature)


@pytest.fixture(scope="module")
def holders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with House(tmp_path_factory.mktemp("holders")) as house:
        yield house.become_holders()


def test_a_vote_and_a_proposal_are_taken_as_the_answer_has_them(holders: House) -> None:
    house, wallet = holders, holders.wallets[0]
    draft = house.proposal_body(wallet, "Halve the rate", [("inner_lr", "0.0005")])
    theirs = draft.pop("signature")
    draft["decisions"] = [list(one) for one in draft["decisions"]]
    said = ask(house, "propose", **draft)
    assert signed(said, wallet) == theirs
    proposal = accepted(house.client.post("/v1/proposals", json={**draft, "signature": signed(said, wallet)}))[
        "proposal"
    ]
    house.step()
    house.wait(PARAMS.voting_delay + 1)
    ballot = ask(house, "vote", proposal=proposal, voter=wallet.address, support=1)
    assert (ballot["message"]["proposalId"], ballot["primaryType"]) == (proposal, "Ballot")
    body = {"voter": wallet.address, "support": 1, "signature": signed(ballot, wallet)}
    assert body == house.ballot_body(wallet, proposal)
    assert accepted(house.client.post(f"/v1/proposals/{proposal}/ballots", json=body))["ballot"] == "taken"


def test_a_delegation_has_the_nonce_of_the_chain(holders: House) -> None:
    wallet, token = holders.wallets[1], holders.ledger.chain.token
    said = ask(holders, "delegate", delegator=wallet.address, delegatee=ELSEWHERE, expiry=2**40)
    lent = Delegation(ELSEWHERE, token.nonce(wallet.address), 2**40)
    assert signed(said, wallet) == to_hex(token.sign_delegation(wallet, lent))


def test_a_claim_elsewhere_is_that_of_the_distributor(final: House) -> None:
    wallet, place = final.wallets[0], final.ledger.chain.deployment
    (line,) = [one for one in final.payouts(1) if one["account"] == wallet.address]
    fields = {"epoch": 1, "index": line["index"], "account": wallet.address, "to": ELSEWHERE, "deadline": 2**40}
    said = ask(final, "claim-elsewhere", **fields)
    message = ClaimTo(1, line["index"], wallet.address, line["kind"], int(line["amount"]), ELSEWHERE, 2**40)
    assert said["digest"] == to_hex(digest(message, Domain(place.chain_id, place.distributor)))
    body = {name: fields[name] for name in ("account", "index", "to", "deadline")}
    taken = final.client.post("/v1/epochs/1/signed-claims", json={**body, "signature": signed(said, wallet)})
    assert accepted(taken)["transaction"]
    check_refused(
        final.client.post("/v1/typed-data", json={"action": "claim-elsewhere", **fields, "index": 77}), 404, "not-found"
    )


def test_messages_have_the_domain_of_who_reads_them(stage: House) -> None:
    credit = Contribution(b"\x01" * 32, 1, "code", "a commit", "MIT", ELSEWHERE, 2**80)
    said = ask(stage, "message", kind="contribution", message=to_json(credit))
    assert said["digest"] == to_hex(digest(credit, stage.ledger.chain.domain))
    root = stage.root_message(1)
    said = ask(stage, "message", kind="epoch-root", message=to_json(root))
    assert said["digest"] == to_hex(digest(root, stage.ledger.chain.epoch_domain))
    assert said["primaryType"] == EpochRoot.__name__


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"action": "dance"}, "malformed-request"),
        ({}, "malformed-request"),
        ({"action": "vote", "proposal": "1", "voter": ELSEWHERE, "support": 3}, "malformed-request"),
        ({"action": "vote", "proposal": "1", "voter": ELSEWHERE, "support": 1}, "not-found"),
        ({"action": "message", "kind": "dance", "message": {}}, "bad-field"),
        ({"action": "message", "kind": "leave", "message": {"run": "0x"}}, "bad-field"),
    ],
    ids=str,
)
def test_what_nobody_signs_is_refused(stage: House, body: dict[str, Any], code: str) -> None:
    before = stage.dump()
    answer = stage.client.post("/v1/typed-data", json=body)
    check_refused(answer, 404 if code == "not-found" else 422, code)
    assert stage.dump() == before


def test_a_proposal_of_nothing_is_refused(stage: House) -> None:
    fields = {"proposer": ELSEWHERE, "description": description_of("x", ELSEWHERE), "decisions": [], "deadline": 1}
    check_refused(stage.client.post("/v1/typed-data", json={"action": "propose", **fields}), 422, "bad-field")


def test_a_call_sends_less_than_a_word_of_the_chain_holds(stage: House) -> None:
    call = {"target": ELSEWHERE, "value": str(2**256), "data": "0x"}
    fields = {"proposer": ELSEWHERE, "description": description_of("x", ELSEWHERE), "decisions": [], "deadline": 1}
    answer = stage.client.post("/v1/typed-data", json={"action": "propose", **fields, "calls": [call]})
    check_refused(answer, 422, "malformed-request")
    assert "calls.0.value" in answer.json()["detail"]
