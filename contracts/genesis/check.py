"""A model's genesis as it was deployed: checked by everybody who joins, before anything is signed, paid or trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from web3 import Web3

from contracts.chain.connection import contract_at
from contracts.chain.deployment import Deployment
from contracts.chain.event_table import EventTable
from contracts.evm.log_ranges import Wanted, logs
from contracts.genesis.creation import Creation, creations
from contracts.genesis.params import GenesisParams, arguments_of, params_of
from contracts.genesis.powers import budgets_of, check_budgets, check_roles, events_before, seats_of
from contracts.genesis.refused import require
from contracts.genesis.terms import check_deadline, check_name, check_terms
from contracts.ids import from_hex, to_hex


@dataclass(frozen=True, slots=True)
class Genesis:
    """The result of the check: the parameters, and the first verifiers."""

    params: GenesisParams
    symbol: str
    verifiers: tuple[str, ...]


def check_genesis(w3: Web3, d: Deployment) -> Genesis:
    """Raise GenesisRefused unless a model began as ours do.

    1. The deployment is of this chain, and its addresses are those that the model registry has for its id.
    2. Each contract was made by our init code, with arguments that name the others (EIP-161 addresses of creations).
    3. Until the end of the registration's block nothing had happened but the hand-over: no other minter, no call that
       waits, no epoch, no token.
    4. At its end exactly the contracts held the powers.
    5. Each parameter lies within bounds under which its promise can be kept.

    All of it is as of that block: what votes changed later is theirs to change.
    """
    require(d.chain_id == w3.eth.chain_id, f"the model is on chain {d.chain_id}, and this is chain {w3.eth.chain_id}")
    _check_entry(w3, d)  # first: it tells whether these are the model's contracts at all
    contracts = creations(w3, d)
    first = min(creation.block for creation in contracts.values() if creation.contract != "ModelRegistry")
    events = events_before(w3, d, first)
    budgets = budgets_of(events)
    check_roles(d, events)
    params = params_of(_arguments(contracts), budgets.get(d.distributor, 0), _began(contracts))
    symbol = str(contracts["ModelToken"].arguments[1])
    verifiers = seats_of(events)
    _check_wiring(d, contracts, params, symbol)
    check_budgets(d, params, budgets)
    check_name(d.name, symbol)
    check_terms(params, verifiers, d.chain_id)
    if d.pool:
        _check_deadline(w3, d, contracts["CapitalPool"])
    return Genesis(params, symbol, tuple(verifiers))


def _check_entry(w3: Web3, d: Deployment) -> None:
    # 1.
    require(0 < d.block <= w3.eth.block_number, f"block {d.block} is not there yet")
    registry = contract_at(w3, "ModelRegistry", d.model_registry)
    model = from_hex(d.model)
    entry = tuple(registry.functions.modelOf(model).call())
    require(entry == d.entry(), f"the registry has {entry!r} where {d.entry()!r} belongs")
    registrant = to_hex(from_hex(d.deployer).rjust(32, b"\0"))
    topics = (EventTable(registry, ["ModelRegistered"]).hexes(), d.model, registrant)
    registrations = logs(w3, Wanted((registry.address,), topics), d.block, d.block)
    require(len(list(registrations)) == 1, f"block {d.block} does not register the model for {d.deployer}")


def _check_wiring(d: Deployment, contracts: Mapping[str, Creation], p: GenesisParams, symbol: str) -> None:
    # 2.
    seats = contracts["VerifierRegistry"].arguments[3]
    deadline = _began(contracts) + p.funding_seconds
    for name, arguments in arguments_of(d, p, symbol, seats, deadline).items():
        creation = contracts[name]
        require(
            creation.arguments == arguments, f"{name} was made with {creation.arguments!r} where {arguments!r} belongs"
        )
        require(creation.block <= d.block, f"{name} was made after the registration")
        is_own = name == "ModelRegistry" or creation.maker == d.deployer
        require(is_own, f"{name} was made by {creation.maker}, not by {d.deployer}")


def _check_deadline(w3: Web3, d: Deployment, pool: Creation) -> None:
    """A round that is over when the model is first seen was its maker's alone."""
    registered = int(w3.eth.get_block(d.block)["timestamp"])
    check_deadline(pool.arguments[2][3], registered, d.chain_id)


def _arguments(contracts: Mapping[str, Creation]) -> dict[str, tuple[object, ...]]:
    return {name: creation.arguments for name, creation in contracts.items()}


def _began(contracts: Mapping[str, Creation]) -> int:
    return contracts["CapitalPool"].time if "CapitalPool" in contracts else 0
