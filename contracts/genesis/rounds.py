"""Funding rounds after the first: whether one sells this model's token for its treasury, and asks its buyers."""

from __future__ import annotations

from web3 import Web3

from contracts.chain import contract_at
from contracts.deployment import Deployment
from contracts.genesis.creation import creation_of
from contracts.genesis.refused import require
from contracts.genesis.terms import check_settlement


def check_round(w3: Web3, d: Deployment, pool: str, creation: str) -> None:
    """Raise GenesisRefused unless the pool was made by our code, by the transaction of this hash, for this model, and
    its money waits longer than any proposal lives."""
    token, treasury, terms = creation_of(w3, "CapitalPool", pool, creation).arguments
    require((token, treasury) == (d.token, d.timelock), f"the round sells {token} for {treasury}, not this model's")
    check_settlement(terms[-1], _longest_life(w3, d))


def _longest_life(w3: Web3, d: Deployment) -> int:
    """Seconds from a proposal to the last moment of its execution, by the bounds that no vote can pass."""
    governor, timelock = contract_at(w3, "ModelGovernor", d.governor), contract_at(w3, "ModelTimelock", d.timelock)
    delay, period, extension, *_ = governor.functions.bounds().call()
    latest = (timelock.functions.mostDelay().call(), 2 * timelock.functions.GRACE().call())
    return sum(int(time) for time in (delay[1], period[1], extension[1], *latest))
