"""What votes cannot do: act beside a proposal, decide while others cannot vote, or before there are any."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from web3 import Web3
from web3.contract.contract import ContractFunction

from contracts.bindings.governor import Action, ProposalState
from contracts.chain.connection import contract_at, load_artifact, send
from tests.contracts.bindings.deployed_model import PARAMS, DeployedModel, refused
from tests.holds import Threat, holds
from tests.sources import ROOT

pytestmark = pytest.mark.integration

ADR = ROOT / "docs" / "adr" / "0048-limits-of-votes.md"
GOVERNED = ("ModelGovernor", "ModelTimelock", "ModelToken")
DAY = 86_400


@pytest.fixture
def model() -> DeployedModel:
    made = DeployedModel.fresh()
    made.send(made.claim(made.finalized(1), 0))  # the holder has all 900 votes
    made.wait(2)
    return made


def proposed(model: DeployedModel, actions: list[Action], text: str) -> int:
    """A proposal of the holder's, for which it has voted, at its end."""
    signature = model.governor.sign_proposal(model.holder, actions, text, 2**40)
    model.send(model.governor.propose_by_sig(model.holder.address, actions, text, 2**40, signature))
    proposal = model.governor.proposal_id(actions, text)
    model.wait(3)
    model.send(model.governor.relay_votes([model.governor.sign_ballot(model.holder, proposal, 1)]))
    model.wait(40)
    return proposal


def inner(call: ContractFunction) -> bytes:
    return bytes.fromhex(call._encode_transaction_data()[2:])


@holds("Votes act only through proposals", by="contracts/solidity/ModelGovernor.sol:relay", against=Threat.TAKEOVER)
def test_no_vote_bypasses_proposals_or_moves_the_governor(model: DeployedModel) -> None:
    """Before, an operation of any delay waited in the timelock, and no holder could object to it."""
    d = model.deployment
    governor = contract_at(model.w3, "ModelGovernor", d.governor).functions
    timelock = contract_at(model.w3, "ModelTimelock", d.timelock)
    mint = inner(model.token.set_budget(model.rival.address, 10**26))
    operation = (Web3.to_checksum_address(d.token), 0, mint, bytes(32), b"s" * 32)
    batch = ([operation[0]], [0], [mint], bytes(32), b"s" * 32)
    later = 365 * DAY
    for number, call in enumerate(
        (
            governor.relay(timelock.address, 0, inner(timelock.functions.schedule(*operation, later))),
            governor.relay(timelock.address, 0, inner(timelock.functions.scheduleBatch(*batch, later))),
            governor.relay(model.rival.address, 0, b""),
            governor.updateTimelock(d.splitter),
            governor.updateTimelock(d.timelock),
        )
    ):
        with refused("ModelGovernorRelayClosed" if number < 3 else "ModelGovernorTimelockFixed"):
            model.carry(Action.of(call), f"housekeeping {number}")
    assert not timelock.functions.isOperation(timelock.functions.hashOperation(*operation).call()).call()
    assert not timelock.functions.isOperation(timelock.functions.hashOperationBatch(*batch).call()).call()
    model.carry(Action.of(model.registry.set_max_epoch_total(5)), "and decisions go on")


def test_what_is_queued_is_executed_through_the_governor_alone(model: DeployedModel) -> None:
    timelock = contract_at(model.w3, "ModelTimelock", model.deployment.timelock)
    actions = [Action.of(model.registry.set_max_epoch_total(5))]
    proposed(model, actions, "smaller epochs")
    model.send(model.governor.queue(actions, "smaller epochs"))
    model.wait(6)
    (action,), said = actions, Web3.keccak(text="smaller epochs")
    governor = bytes.fromhex(model.deployment.governor[2:]).ljust(32, b"\0")
    salt = bytes(a ^ b for a, b in zip(governor, said, strict=True))
    call = timelock.functions.executeBatch([action.target], [0], [action.data], bytes(32), salt)
    with refused("ModelTimelockNotGovernor"):
        model.send(call)
    model.send(model.governor.execute(actions, "smaller epochs"))


def test_nobody_proposes_before_there_is_a_token() -> None:
    model = DeployedModel(params=replace(PARAMS, proposal_threshold=0))
    actions = [Action.of(model.token.set_budget(model.rival.address, 10**26))]
    with refused("ModelGovernorNobodyHolds"):
        send(model.w3, model.rival, model.governor.propose(actions, "before anybody has a vote"))


@holds(
    "During a pause of minting no account decides alone",
    by="contracts/solidity/ModelGovernor.sol:state",
    against=Threat.TAKEOVER,
)
def test_accounts_owed_nearly_all_are_asked_before_any_decision() -> None:
    """Before, who had claimed paused minting, and decided alone for two weeks about what was nearly all the others'."""
    model = DeployedModel.fresh()
    first = [model.payouts(1)[0], replace(model.payouts(1)[1], amount=100)]
    model.finalize(first)
    for n in range(2):
        model.send(model.claim(first, n))
    model.wait(2)
    model.carry(Action.of(model.token.set_minting_paused(True)), "careful")
    owed = [[replace(p, account=model.deployer.address, amount=5_000) for p in model.payouts(e)] for e in (2, 3, 4)]
    for payouts in owed:
        model.finalize(payouts)
        with refused("ModelTokenMintingPaused"):
            model.send(model.claim(payouts, 0))
    grab = [Action.of(model.token.set_budget(model.rival.address, 10**26))]
    assert model.governor.state(proposed(model, grab, "grab")) is ProposalState.DEFEATED
    with refused("GovernorUnexpectedProposalState"):
        model.send(model.governor.queue(grab, "grab"))
    both = [Action.of(model.token.set_minting_paused(False)), *grab]
    assert model.governor.state(proposed(model, both, "an end and more")) is ProposalState.DEFEATED
    model.carry(Action.of(model.token.set_minting_paused(False)), "go on")  # nothing but an end of it
    for payouts in owed:
        for n in range(2):
            model.send(model.claim(payouts, n))
    assert model.token.balance_of(model.deployer.address) == 30_100


def test_accounts_owed_in_a_pause_can_object_before_an_execution(model: DeployedModel) -> None:
    """Before, what passed just before a pause was executed in it: who was owed since the vote could not object."""
    grab = [Action.of(model.token.set_budget(model.rival.address, 10**26))]
    pause = [Action.of(model.token.set_minting_paused(True))]
    for actions, text in ((pause, "careful"), (grab, "grab")):
        signature = model.governor.sign_proposal(model.holder, actions, text, 2**40)
        model.send(model.governor.propose_by_sig(model.holder.address, actions, text, 2**40, signature))
    numbers = [model.governor.proposal_id(pause, "careful"), model.governor.proposal_id(grab, "grab")]
    model.wait(3)
    model.send(model.governor.relay_votes([model.governor.sign_ballot(model.holder, n, 1) for n in numbers]))
    payouts = model.payouts(2, 2_000)
    root = model.root(payouts)
    model.send(model.registry.propose(root, model.signatures(root, model.verifiers[:2])))
    model.wait(40)
    for actions, text in ((pause, "careful"), (grab, "grab")):
        model.send(model.governor.queue(actions, text))
    model.wait(6)
    model.send(model.governor.execute(pause, "careful"))
    model.wait(20)
    model.send(model.registry.finalize(2))
    with refused("ModelTokenMintingPaused"):
        model.send(model.claim(payouts, 1))
    with refused("ModelGovernorMintingPausedLately"):
        model.send(model.governor.execute(grab, "grab"))
    model.carry(Action.of(model.token.set_minting_paused(False)), "go on")
    model.send(model.claim(payouts, 1))
    with refused("ModelGovernorMintingPausedLately"):
        model.send(model.governor.execute(grab, "grab"))
    model.wait(1)
    send(model.w3, model.deployer, model.governor.object_to(grab, "grab", model.now() - 1))
    assert model.governor.state(numbers[1]) is ProposalState.CANCELED


@pytest.mark.parametrize("contract", GOVERNED)
def test_each_writing_function_has_a_row_that_says_why_it_stays(contract: str) -> None:
    """A new version of a library brings functions that nobody has thought about."""
    row = rf"^\| `{contract}` \| (.+?) \| (.+?) \| (stays|closed) \| (.{{10,}}?) \|$"
    rows = re.findall(row, ADR.read_text(), re.MULTILINE)
    named = [name for names, *_ in rows for name in re.findall(r"`(\w+)`", names)]
    assert len(named) == len(set(named))
    reads = ("view", "pure")
    written = {
        one.get("name", one["type"])
        for one in load_artifact(contract)["abi"]
        if one["type"] in ("function", "receive", "fallback") and one["stateMutability"] not in reads
    }
    closed = {name for names, _, state, _ in rows if state == "closed" for name in re.findall(r"`(\w+)`", names)}
    pure = {"updateTimelock", "schedule"}  # they revert always, and say so to the compiler
    assert written | (closed & pure) == set(named)
    assert closed == CLOSED.get(contract, set())


CLOSED = {"ModelGovernor": {"relay", "updateTimelock"}, "ModelTimelock": {"schedule", "execute"}}
"""Each is tried above, or by `testFuzz_no_vote_acts_beside_its_proposal`."""
