"""What was left behind before the powers were handed over is found, and the deployment refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.contract import Contract

from contracts import deploy
from contracts.chain import contract_at, send
from contracts.deployment import ZERO
from contracts.genesis.check import check_genesis
from contracts.genesis.powers import ADMIN, role
from contracts.genesis.refused import GenesisRefused
from tests.contracts.test_contracts import PARAMS, World

pytestmark = pytest.mark.integration


def schedule(w3: Web3, deployer: LocalAccount, timelock: Contract, token: Contract) -> None:
    """A call to the token that waits in the timelock when the deployer's roles are gone."""
    grab = token.functions.grantRole(ADMIN, deployer.address)._encode_transaction_data()
    for call in (
        timelock.functions.grantRole(role(timelock, "PROPOSER_ROLE"), deployer.address),
        timelock.functions.schedule(token.address, 0, grab, ADMIN, ADMIN, PARAMS.timelock_delay),
        timelock.functions.revokeRole(role(timelock, "PROPOSER_ROLE"), deployer.address),
    ):
        send(w3, deployer, call)


def close_execution(w3: Web3, deployer: LocalAccount, timelock: Contract, token: Contract) -> None:
    send(w3, deployer, timelock.functions.revokeRole(role(timelock, "EXECUTOR_ROLE"), ZERO))


def let_the_timelock_propose(w3: Web3, deployer: LocalAccount, timelock: Contract, token: Contract) -> None:
    send(w3, deployer, timelock.functions.grantRole(role(timelock, "PROPOSER_ROLE"), timelock.address))


def leave_a_guardian(w3: Web3, deployer: LocalAccount, timelock: Contract, token: Contract) -> None:
    send(w3, deployer, token.functions.grantRole(role(token, "GUARDIAN_ROLE"), deployer.address))


Fault = Callable[[Web3, LocalAccount, Contract, Contract], None]


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("a call was scheduled", schedule),
        (f"{ZERO} lacks role", close_execution),
        ("holds role", let_the_timelock_propose),
        ("holds role", leave_a_guardian),
    ],
)
def test_a_fault_before_the_hand_over_is_refused(said: str, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    hand_over = deploy._hand_over

    def faulty(w3: Web3, deployer: LocalAccount, timelock: Contract, token: Contract, governor: str) -> None:
        fault(w3, deployer, timelock, token)
        hand_over(w3, deployer, timelock, token, governor)

    monkeypatch.setattr(deploy, "_hand_over", faulty)
    with pytest.raises(GenesisRefused, match=said):
        World()


def test_a_governor_that_cannot_cancel_or_administers_the_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "GOVERNOR_ROLES", ("PROPOSER_ROLE",))
    with pytest.raises(GenesisRefused, match="lacks role"):
        World()
    monkeypatch.undo()
    hand_over = deploy._hand_over

    def generous(w3: Web3, deployer: LocalAccount, timelock: Contract, token: Contract, governor: str) -> None:
        send(w3, deployer, token.functions.grantRole(ADMIN, governor))
        hand_over(w3, deployer, timelock, token, governor)

    monkeypatch.setattr(deploy, "_hand_over", generous)
    with pytest.raises(GenesisRefused, match=r"holds role 0x0{64}"):
        World()


def test_a_power_that_was_given_up_after_the_registration_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later look finds it gone: only the state at the deployment's block tells."""
    monkeypatch.setattr(deploy, "_hand_over", lambda *_: None)
    monkeypatch.setattr(deploy, "check_genesis", lambda *_: None)
    world = World()
    monkeypatch.undo()
    d = world.deployment
    timelock, token = contract_at(world.w3, "ModelTimelock", d.timelock), contract_at(world.w3, "ModelToken", d.token)
    deploy._hand_over(world.w3, world.deployer, timelock, token, d.governor)
    check_genesis(world.w3, replace(d, block=0))
    with pytest.raises(GenesisRefused, match=f"{world.deployer.address} holds role"):
        check_genesis(world.w3, d)


def test_terms_under_which_nobody_could_decide_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    vote = PARAMS.voting_delay + PARAMS.voting_period + PARAMS.late_quorum_extension + PARAMS.timelock_delay
    short, high = replace(PARAMS, dispute_limit=vote - 1), replace(PARAMS, quorum_floor=PARAMS.cap + 1)
    for terms, said in ((short, f"a vote on it takes {vote}"), (high, "can never be reached")):
        with pytest.raises(GenesisRefused, match=said):
            World(params=terms)
    with pytest.raises(GenesisRefused, match="at most the voting_period, 30"):
        World(params=replace(PARAMS, late_quorum_extension=31))
    World(params=replace(PARAMS, dispute_limit=vote, quorum_floor=PARAMS.cap))
    monkeypatch.setattr(deploy, "_check_params", lambda _: None)  # who deploys by other means
    for terms, said in ((short, f"a vote on it takes {vote}"), (high, "can never be reached")):
        with pytest.raises(GenesisRefused, match=said):
            World(params=terms)
