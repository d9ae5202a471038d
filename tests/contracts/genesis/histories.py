"""Random lives of a model after its genesis: whatever holders, verifiers and strangers may do."""

from __future__ import annotations

from random import Random

from eth_account import Account
from web3.contract.contract import ContractFunction

from contracts.bindings.governor import Action
from contracts.chain.connection import ContractRejected, contract_at
from contracts.messages.for_contracts import VerifierFault
from tests.contracts.bindings.deployed_model import PARAMS, DeployedModel


def live(model: DeployedModel, chance: Random, decisions: int = 3) -> list[str]:
    """An epoch is paid, so that votes exist; then decisions and deeds in a random order. Says what was done."""
    model.send(model.claim(model.finalized(1), 0))
    model.wait(2)
    done = []
    for number in range(decisions):
        name, call = chance.choice(_decisions(model))
        model.carry(Action.of(call), f"decision {number}: {name}")
        done.append(name)
    deed = chance.choice([_staked, _punished, _another_epoch])
    deed(model)
    return [*done, deed.__name__]


def _decisions(model: DeployedModel) -> list[tuple[str, ContractFunction]]:
    """All that change what genesis set, each possible at any time."""
    d, stranger = model.deployment, Account.create().address
    token, timelock = contract_at(model.w3, "ModelToken", d.token), contract_at(model.w3, "ModelTimelock", d.timelock)
    governor = contract_at(model.w3, "ModelGovernor", d.governor)
    registry = contract_at(model.w3, "VerifierRegistry", d.verifier_registry)
    left = token.functions.budgetOf(d.distributor).call()
    return [
        ("less for the distributor", token.functions.setBudget(d.distributor, left // 2)),
        ("another minter", token.functions.setBudget(stranger, 0)),
        ("another verifier", registry.functions.admit(stranger)),
        ("one is enough", registry.functions.setThreshold(1)),
        ("smaller epochs", registry.functions.setMaxEpochTotal(9_000)),
        ("longer votes", governor.functions.setVotingPeriod(PARAMS.voting_period + 1)),
        ("votes that wait", governor.functions.setVotingDelay(2)),
        ("another quorum", governor.functions.updateQuorumNumerator(3)),
        ("a longer timelock", timelock.functions.updateDelay(PARAMS.timelock_delay + 1)),
    ]


def _staked(model: DeployedModel) -> None:
    model.send(
        contract_at(model.w3, "VerifierRegistry", model.registry.address).functions.stakeNode(),
        PARAMS.node_slash_cap // 100,
    )


def _punished(model: DeployedModel) -> None:
    fault = VerifierFault(model.id, model.verifiers[2].address, b"e" * 32, 2**40)
    model.send(model.registry.punish(fault, model.signatures(fault, model.verifiers[:2])))


def _another_epoch(model: DeployedModel) -> None:
    try:
        model.finalized(2)
    except ContractRejected as rejected:
        if rejected.error not in ("EpochRootsTotalTooLarge", "ModelTokenBudgetExceeded"):
            raise
