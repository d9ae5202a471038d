"""Who was a verifier, and what k was, at any block, read from events in pages; how disputes and stakes end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from eth_account import Account
from web3 import Web3

from contracts.bindings.governor import Action
from contracts.bindings.held_money import NOBODY
from contracts.bindings.verifier_registry import SET_EVENTS, EpochStatus, VerifierRegistry, VerifierSet
from contracts.chain.connection import connect_devnet, contract_at, send
from contracts.chain.event_history import EventHistory
from contracts.devnet.chain import Devnet
from contracts.errors import BadField
from contracts.evm import log_pace
from contracts.ids import as_address
from tests.contracts.bindings.deployed_model import PARAMS, DeployedModel, decided, refused
from tests.holds import Threat, holds

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def changed() -> DeployedModel:
    """One admitted, k raised and lowered, another removed, each by a vote."""
    model = DeployedModel.fresh()
    model.send(model.claim(model.finalized(1), 0))
    model.wait(2)
    joined = Account.create().address
    calls = (
        model.registry.admit(joined),
        model.registry.set_threshold(4),
        model.registry.set_threshold(1),
        model.registry.remove(model.verifiers[0].address),
    )
    for number, call in enumerate(calls):
        model.carry(Action.of(call), f"change {number}")
    return model


def read(model: DeployedModel) -> VerifierRegistry:
    """From the creation on."""
    first = model.registry.created(model.deployment.block, 0)
    return VerifierRegistry(model.w3, model.registry.address, first)


@pytest.mark.parametrize("page", [7, 10_000])
def test_events_tell_the_set_at_every_block(changed: DeployedModel, page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_pace, "MOST_BLOCKS", page)
    registry, head = read(changed), changed.w3.eth.block_number
    functions = contract_at(changed.w3, "VerifierRegistry", registry.address).functions
    seen = set()
    for block in range(changed.registry.created(changed.deployment.block, 0), head + 1):
        members = frozenset(functions.verifiers().call(block_identifier=block))
        k = functions.threshold().call(block_identifier=block)
        assert registry.set_at(block) == VerifierSet(members, k), block
        seen.add((len(members), k))
    assert seen == {(3, 2), (4, 2), (4, 4), (4, 1), (3, 1)}


def test_the_widest_set_since_a_block_omits_earlier_removals(changed: DeployedModel) -> None:
    registry, head = read(changed), changed.w3.eth.block_number
    start = registry.set_at(changed.deployment.block)
    everybody = start.members | registry.set_at(head).members
    assert registry.widest_since(changed.deployment.block) == VerifierSet(everybody, 1)
    assert len(everybody) == 4
    assert registry.widest_since(head) == registry.set_at(head)


def test_the_registry_is_older_than_its_models_registration(
    changed: DeployedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    block, address = changed.deployment.block, changed.registry.address
    created = changed.registry.created(block, 0)
    assert created < block
    assert changed.w3.eth.get_code(Web3.to_checksum_address(address), created)
    assert not changed.w3.eth.get_code(Web3.to_checksum_address(address), created - 1)
    monkeypatch.setattr(log_pace, "MOST_BLOCKS", 2)
    assert changed.registry.created(block, 0) == created
    with pytest.raises(BadField, match="before the creation"):
        changed.registry.created(created - 1, 0)


def test_a_block_outside_the_registrys_life_has_no_set(changed: DeployedModel) -> None:
    """Before the registry, or after the head."""
    registry, head = read(changed), changed.w3.eth.block_number
    with pytest.raises(BadField, match="before the creation"):
        registry.set_at(1)
    for _ in range(2):
        with pytest.raises(BadField, match=f"{head + 1} is past {head}"):
            registry.set_at(head + 1)
        registry.set_at(head)


class Late(Devnet):
    """Its blocks are final four blocks later; it keeps the ranges of blocks whose logs it was asked for."""

    def __init__(self, funded: list[str]) -> None:
        super().__init__(funded)
        self.asked: list[tuple[int, int]] = []

    def handle(self, request: Mapping[str, Any]) -> Any:
        """Answer, and remember."""
        if request["method"] == "eth_getLogs":
            first, last = (int(request["params"][0][k], 16) for k in ("fromBlock", "toBlock"))
            self.asked.append((first, last))
        return super().handle(request)

    def _number(self, tag: Any) -> int:
        return max(0, super()._number(tag) - 4) if tag == "finalized" else super()._number(tag)


def test_final_blocks_are_read_once_in_pages_and_others_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_pace, "MOST_BLOCKS", 5)
    net = Late([])
    w3 = connect_devnet(net)
    history = EventHistory(contract_at(w3, "VerifierRegistry", as_address("0x" + "11" * 20)), SET_EVENTS, 0)
    net.mine(16)
    assert history.until(16) == []
    assert net.asked == [(0, 4), (5, 9), (10, 12), (13, 16)]
    history.until(16)
    assert net.asked[4:] == [(13, 16)]
    net.mine(2)
    history.until(16)
    history.until(12)
    assert net.asked[5:] == [(13, 14), (15, 16)]


@holds(
    "A dispute without a decision lapses at the challenger's cost",
    by="contracts/solidity/EpochRoots.sol:lapse",
    against=Threat.BAD_VERIFIER,
)
def test_an_undecided_dispute_lapses_and_the_next_costs_double() -> None:
    model = DeployedModel.fresh()
    registry, timelock = model.registry, Web3.to_checksum_address(model.deployment.timelock)
    root = model.root(model.payouts(1))
    model.send(registry.propose(root, model.signatures(root, model.verifiers[:2])))
    model.send(registry.challenge(1), PARAMS.bond)
    assert (registry.epoch_of(1).disputes, registry.dispute_limit()) == (1, PARAMS.dispute_limit)
    model.wait(PARAMS.dispute_limit - 10)
    with refused("EpochRootsDisputeOpen"):
        model.send(registry.lapse(1))
    model.wait(10)
    send(model.w3, model.rival, registry.lapse(1))
    state = registry.epoch_of(1)
    assert (state.status, state.attempt, state.disputes, state.early) == (EpochStatus.NONE, 1, 1, True)
    assert [registry.stake_of(v.address) for v in model.verifiers] == 3 * [PARAMS.min_stake]
    # nobody could vote: the bond waits for its challenger
    assert model.w3.eth.get_balance(timelock) == model.w3.eth.get_balance(Web3.to_checksum_address(NOBODY)) == 0
    assert registry.held_of(registry.ground_of(1, 1), model.deployer.address).amount == PARAMS.bond
    again = model.root(model.payouts(1), attempt=1)
    model.send(registry.propose(again, model.signatures(again, model.verifiers[:2])))
    with refused("EpochRootsWrongBond"):
        model.send(registry.challenge(1), PARAMS.bond)
    assert registry.bond_now() == 2 * PARAMS.bond
    model.wait(61)
    model.send(registry.finalize(1))


def test_a_decision_falls_on_the_dispute_it_names() -> None:
    model = DeployedModel.fresh()
    model.send(model.claim(model.finalized(1), 0))
    proposed = model.root(model.payouts(2))
    model.send(model.registry.propose(proposed, model.signatures(proposed, model.verifiers[:2])))
    model.send(model.registry.challenge(2), PARAMS.bond)
    state = model.registry.epoch_of(2)
    for root, opened in ((b"r" * 32, state.challenged_at), (state.root, state.challenged_at + 1)):
        with refused("EpochRootsWrongDispute"):
            model.as_timelock(model.registry.resolve(2, root, opened, True))
    model.as_timelock(decided(model.registry, 2, True))


def test_a_removed_verifiers_stake_waits_for_judgement() -> None:
    """Its faults are signed when an epoch over them is final, and taken before another one is. The root that it signed
    holds its stake, too."""
    model = DeployedModel.fresh()
    leaver, other, third = model.verifiers
    model.send(model.claim(model.finalized(1), 0))
    model.wait(2)
    with refused("VerifierSetStakeLocked"):
        send(model.w3, leaver, model.registry.unstake())
    mine = model.root(model.payouts(2))
    model.send(model.registry.propose(mine, model.signatures(mine, [leaver, other])))
    model.carry(Action.of(model.registry.remove(leaver.address)), "it leaves")
    with refused("VerifierSetNotVerifier"):
        send(model.w3, leaver, model.registry.stake(), value=1)
    model.wait(2 * PARAMS.challenge_window)
    with refused("VerifierSetStakeLocked"):  # the root that it signed is open
        send(model.w3, leaver, model.registry.unstake())
    model.send(model.registry.finalize(2))
    for epoch in (3, 4):
        with refused("VerifierSetStakeLocked"):  # not all is judged that it said before it was removed
            send(model.w3, leaver, model.registry.unstake())
        judged = model.root(model.payouts(epoch))
        model.send(model.registry.propose(judged, model.signatures(judged, [other, third])))
        model.wait(PARAMS.challenge_window + 1)
        model.send(model.registry.finalize(epoch))
    theirs = model.root(model.payouts(5))
    model.send(model.registry.propose(theirs, model.signatures(theirs, [other, third])))
    before = model.w3.eth.get_balance(Web3.to_checksum_address(model.registry.address))
    send(model.w3, leaver, model.registry.unstake())  # one that others signed holds it no longer
    assert before - model.w3.eth.get_balance(Web3.to_checksum_address(model.registry.address)) == PARAMS.min_stake
    send(model.w3, leaver, model.registry.unstake())  # nothing is left to be paid
    assert model.registry.stake_of(leaver.address) == 0
    assert before - model.w3.eth.get_balance(Web3.to_checksum_address(model.registry.address)) == PARAMS.min_stake


def test_a_removed_verifier_has_its_stake_after_the_long_delay() -> None:
    """Where no epoch comes."""
    model = DeployedModel.fresh()
    leaver = model.verifiers[0]
    model.send(model.claim(model.finalized(1), 0))
    model.wait(2)
    model.carry(Action.of(model.registry.remove(leaver.address)), "it leaves")
    model.wait(PARAMS.node_withdrawal_delay - PARAMS.challenge_window)
    with refused("VerifierSetStakeLocked"):
        send(model.w3, leaver, model.registry.unstake())
    model.wait(PARAMS.challenge_window + 1)
    send(model.w3, leaver, model.registry.unstake())
    assert model.registry.stake_of(leaver.address) == 0
