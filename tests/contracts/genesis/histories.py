"""Random lives of a model after its genesis: whatever holders, verifiers and strangers may do."""

from __future__ import annotations

from random import Random

from eth_account import Account
from web3.contract.contract import ContractFunction

from contracts.bindings.governor import Action
from contracts.chain.connection import ContractRejected, contract_at
from contracts.messages.for_contracts import VerifierFault
from tests.contracts.bindings.test_contracts import PARAMS, World


def live(world: World, chance: Random, decisions: int = 3) -> list[str]:
    """An epoch is paid, so that votes exist; then decisions and deeds in a random order. Says what was done."""
    world.send(world.claim(world.finalized(1), 0))
    world.wait(2)
    done = []
    for number in range(decisions):
        name, call = chance.choice(_decisions(world))
        world.carry(Action.of(call), f"decision {number}: {name}")
        done.append(name)
    deed = chance.choice([_staked, _punished, _another_epoch])
    deed(world)
    return [*done, deed.__name__]


def _decisions(world: World) -> list[tuple[str, ContractFunction]]:
    """All that change what genesis set, each possible at any time."""
    d, stranger = world.deployment, Account.create().address
    token, timelock = contract_at(world.w3, "ModelToken", d.token), contract_at(world.w3, "ModelTimelock", d.timelock)
    governor = contract_at(world.w3, "ModelGovernor", d.governor)
    registry = contract_at(world.w3, "VerifierRegistry", d.verifier_registry)
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


def _staked(world: World) -> None:
    world.send(
        contract_at(world.w3, "VerifierRegistry", world.registry.address).functions.stakeNode(),
        PARAMS.node_slash_cap // 100,
    )


def _punished(world: World) -> None:
    fault = VerifierFault(world.model, world.verifiers[2].address, b"e" * 32, 2**40)
    world.send(world.registry.punish(fault, world.signatures(fault, world.verifiers[:2])))


def _another_epoch(world: World) -> None:
    try:
        world.finalized(2)
    except ContractRejected as rejected:
        if rejected.error not in ("EpochRootsTotalTooLarge", "ModelTokenBudgetExceeded"):
            raise
