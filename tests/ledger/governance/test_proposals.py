"""Every proposal of the Governor is known, wherever it was made: in words, voted on, carried out or over.

Before, a proposal made by a wallet was 404 here: not listed, its ballots refused, never queued nor executed.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from commonweight.governance.proposal_state import by_chain, by_server, sentence
from commonweight.governance.proven import proven
from contracts.bindings.governor import Action, ModelGovernor, description_of, proposal_id_of
from contracts.calls.text import parse_call
from contracts.chain.connection import contract_at, send
from contracts.ids import to_hex
from ledger.storage.tables import Header, PendingEvent, Proposal
from tests.deployed import PARAMS, key_of
from tests.holds import Threat, holds
from tests.house import House, accepted, check_refused

pytestmark = pytest.mark.integration
NO_TEXT = b"\xff\x00\xc3(" * 8


def by_wallet(house: House, actions: Sequence[Action], description: str) -> str:
    """A proposal that a holder sends himself, past the API."""
    governor = house.ledger.chain.governor
    send(house.place.w3, house.wallets[0], governor.propose(actions, description))
    house.step()
    return str(governor.proposal_id(actions, description))


def decide(house: House, key: str, value: str, name: bytes) -> Action:
    """A decision under an id of its own."""
    models = house.ledger.chain.models
    return Action.of(models.decide(house.ledger.chain.model, name.ljust(32, b"."), key, value))


@holds(
    "Every proposal of the Governor is known, voted on and executed, wherever it was made",
    by="ledger/governance/proposals.py:credit",
    against=Threat.TAKEOVER,
)
def test_a_wallets_proposal_is_voted_on_and_carried_out(electorate: House) -> None:
    proposal = by_wallet(electorate, [decide(electorate, "clip", "3", b"wallet")], "from my wallet")
    shown = electorate.get(f"/proposals/{proposal}")
    assert (shown["state"], shown["proposer"]) == ("pending", electorate.wallets[0].address)
    name = to_hex(b"wallet".ljust(32, b"."))
    assert [call["words"] for call in shown["calls"]] == [f"decision {name}: clip = 3 for the model's runs"]
    assert proposal in {row["id"] for row in electorate.get("/proposals")}
    assert_one_word(electorate, proposal)
    electorate.carry(proposal)
    assert_one_word(electorate, proposal)
    assert electorate.get(f"/proposals/{proposal}")["state"] == "executed"
    assert ("clip", "3") in [(d["key"], d["value"]) for d in electorate.get("/decisions")]


def assert_one_word(house: House, proposal: str) -> None:
    """An honest server says what the Governor says, and neither leaves out a time that the sentence names."""
    first = house.place.deployment.block
    own, told = (
        by_chain(house.ledger.chain.governor, int(proposal), first),
        by_server(house.get(f"/proposals/{proposal}")),
    )
    assert sentence(own) == sentence(told)
    assert (own.state, own.quorum, own.deadline, own.in_favour) == (
        told.state,
        told.quorum,
        told.deadline,
        told.in_favour,
    )


def test_any_call_of_the_timelock_can_be_proposed_and_executed(electorate: House) -> None:
    """Also one that is no function of the model's contracts: it is shown as the bytes that it is."""
    stranger = key_of("stranger").address
    actions = [
        Action(stranger, b""),
        Action.of(electorate.ledger.chain.token.set_budget(stranger, 0)),
        Action(stranger, b"\x12\x34"),
    ]
    proposal = by_wallet(electorate, actions, "anything")
    assert list(proven(electorate.get(f"/proposals/{proposal}"), proposal).actions) == actions
    words = [call["words"] for call in electorate.get(f"/proposals/{proposal}")["calls"]]
    assert words == [
        f"send 0 coins to {stranger}",
        f"let {stranger} owe 0 tokens more from now on, or what the cap leaves",
        f"call {stranger} with 0x1234",
    ]
    electorate.carry(proposal)
    assert electorate.get(f"/proposals/{proposal}")["state"] == "executed"


def test_a_proposal_whose_description_is_no_text_is_carried_out(electorate: House) -> None:
    """The Governor names a proposal by the hash of the bytes; the text that people read has another."""
    governor, hole = electorate.ledger.chain.governor, "?" * len(NO_TEXT)
    action = decide(electorate, "clip", "4", b"no text")
    call = governor.propose([action], hole)
    data = bytes.fromhex(call._encode_transaction_data()[2:]).replace(hole.encode(), NO_TEXT)
    w3, holder = electorate.place.w3, electorate.wallets[0]
    signed = holder.sign_transaction(
        {
            "to": call.address,
            "data": data,
            "gas": 3_000_000,
            "gasPrice": w3.eth.gas_price * 2,
            "chainId": w3.eth.chain_id,
            "nonce": w3.eth.get_transaction_count(holder.address),
        }
    )
    assert w3.eth.wait_for_transaction_receipt(w3.eth.send_raw_transaction(signed.raw_transaction))["status"] == 1
    electorate.step()
    (shown,) = [row for row in electorate.get("/proposals") if row["description"].startswith("\\xff\\x00")]
    whole = electorate.get(f"/proposals/{shown['id']}")
    assert proven(whole, shown["id"]).text == shown["description"]
    assert governor.proposal_id([action], whole["description"]) != int(shown["id"])
    assert proposal_id_of([action], bytes.fromhex(whole["description_hash"][2:])) == int(shown["id"])
    electorate.carry(shown["id"])
    assert electorate.get(f"/proposals/{shown['id']}")["state"] == "executed"


def test_a_proposal_that_its_proposer_cancelled_is_over(electorate: House) -> None:
    action = decide(electorate, "clip", "5", b"cancelled")
    proposal = by_wallet(electorate, [action], "never mind")
    raw = contract_at(electorate.place.w3, "ModelGovernor", electorate.place.deployment.governor).functions
    cancel = raw.cancel([action.target], [0], [action.data], electorate.place.w3.keccak(text="never mind"))
    send(electorate.place.w3, electorate.wallets[0], cancel)
    electorate.step()
    shown = electorate.get(f"/proposals/{proposal}")
    assert (shown["state"], shown["over"]) == ("canceled", True)
    check_refused(electorate.vote(electorate.wallets[0], proposal), 409, "vote-closed")


def test_what_can_never_be_executed_keeps_nobody_from_his_turn(electorate: House) -> None:
    """It passes and its call reverts for ever: it is tried again after pauses that double, and others go on."""
    bad = by_wallet(
        electorate, [Action.of(electorate.ledger.chain.token.set_budget(key_of("x").address, 2**255))], "no"
    )
    good = by_wallet(electorate, [decide(electorate, "clip", "6", b"behind it")], "behind it")
    electorate.carry(bad, good)
    assert [electorate.get(f"/proposals/{p}")["state"] for p in (bad, good)] == ["queued", "executed"]
    with electorate.ledger.store.read() as session:
        row = session.get_one(Proposal, bad)
    assert row.tries == 1
    assert row.again > electorate.clock.now
    electorate.step(3)
    with electorate.ledger.store.read() as session:
        assert session.get_one(Proposal, bad).tries == 1  # not before its time
    assert not [t for t in electorate.get("/transactions") if t["id"] == f"execute:{bad}"]


def test_a_proposal_whose_block_is_not_final_yet_can_be_voted_on(house: House) -> None:
    """Else nobody could vote through the API in the first quarter of an hour of every vote."""
    electorate = house.become_holders()
    ledger, action = electorate.ledger, decide(electorate, "clip", "7", b"fresh")
    proposal = by_wallet(electorate, [action], "fresh")
    with ledger.store.write() as session:
        row = session.get_one(Proposal, proposal)
        said = {
            "proposalId": proposal,
            "proposer": row.proposer,
            "targets": [action.target],
            "values": ["0"],
            "calldatas": ["0x" + action.data.hex()],
            "voteStart": str(row.snapshot),
            "voteEnd": str(row.deadline),
            "description": row.description,
        }
        block = (row.block or 0) + 1
        session.add(Header(number=block, hash="0x01", parent="0x02"))
        session.add(
            PendingEvent(
                block=block,
                log_index=0,
                transaction="0x",
                contract="ModelGovernor",
                name="ProposalCreated",
                arguments=said,
            )
        )
        session.delete(row)
    electorate.wait(PARAMS.voting_delay + 1)
    assert electorate.get(f"/proposals/{proposal}")["state"] == "active"
    accepted(electorate.vote(electorate.wallets[0], proposal))


def test_no_proposal_of_that_name(electorate: House) -> None:
    for path in ("/v1/proposals/1", "/v1/proposals/one/tally", "/v1/proposals/1/votes"):
        check_refused(electorate.client.get(path), 404, "not-found")


def test_a_state_is_told_without_a_call_for_each_proposal(electorate: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is anybody's to ask for."""
    by_wallet(electorate, [decide(electorate, "clip", "8", b"page")], "page")

    def fail(*_: object) -> None:
        raise AssertionError("asked the chain for one proposal's state")

    monkeypatch.setattr(ModelGovernor, "state", fail)
    monkeypatch.setattr(ModelGovernor, "snapshot", fail)
    states = {row["description"]: row["state"] for row in electorate.get("/proposals")}
    assert states["page"] == "pending"


def signed(house: House, text: str, calls: list[Action], decisions: list[tuple[str, str]]) -> dict[str, object]:
    """A signed proposal of decisions and calls, as the API takes it."""
    chain, holder = house.ledger.chain, house.wallets[0]
    description = description_of(text, holder.address)
    actions = [*chain.decision_actions(description, decisions), *calls]
    until = int(house.place.w3.eth.get_block("latest")["timestamp"]) + 3600
    signature = chain.governor.sign_proposal(holder, actions, description, until)
    shown = [{"target": c.target, "value": str(c.value), "data": "0x" + c.data.hex()} for c in calls]
    return {
        "proposer": holder.address,
        "description": description,
        "decisions": decisions,
        "calls": shown,
        "deadline": until,
        "signature": "0x" + signature.hex(),
    }


def test_powers_are_proposed_by_signature_beside_decisions(electorate: House) -> None:
    registry = electorate.ledger.chain.registry
    call = parse_call(
        electorate.place.w3, electorate.place.deployment, "VerifierRegistry.setMaxEpochTotal maxEpochTotal_=12345"
    )
    body = signed(electorate, "limit and clip", [call], [("clip", "9")])
    proposal = accepted(electorate.client.post("/v1/proposals", json=body))["proposal"]
    electorate.step()
    words = [row["words"] for row in electorate.get(f"/proposals/{proposal}")["calls"]]
    assert words[0].endswith(": clip = 9 for the model's runs")
    assert words[1:] == ["limit what one epoch pays to 0.000000000000012345 tokens"]
    electorate.carry(proposal)
    assert electorate.get(f"/proposals/{proposal}")["state"] == "executed"
    assert registry.max_epoch_total() == 12345


def test_calls_are_signed_and_bounded(electorate: House) -> None:
    good = signed(electorate, "nothing changes", [decide(electorate, "clip", "2", b"bounded")], [])
    call = dict(good["calls"][0])  # type: ignore[index]
    before = electorate.dump()
    for calls, status, code in (
        ([], 422, "bad-field"),
        ([{**call, "data": call["data"] + "00"}], 400, "contract-rejected"),
        ([{**call, "value": "1"}], 400, "contract-rejected"),
        ([call] * 17, 422, "malformed-request"),
        ([{**call, "value": "-1"}], 422, "malformed-request"),
        ([{**call, "data": "0x1"}], 422, "malformed-request"),
        ([{**call, "data": "0x" + "00" * 40_000}], 422, "malformed-request"),
    ):
        check_refused(electorate.client.post("/v1/proposals", json={**good, "calls": calls}), status, code)
    assert electorate.dump() == before
