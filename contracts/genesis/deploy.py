"""Deploy one model's contracts and hand every power to its timelock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.types import Nonce, TxReceipt
from web3.utils.address import get_create_address

from contracts.chain.connection import contract_at, load_artifact, send
from contracts.chain.deployment import Deployment
from contracts.genesis.check import check_genesis
from contracts.genesis.params import GenesisParams, arguments_of, round_terms
from contracts.genesis.powers import ADMIN, GOVERNOR_ROLES, role
from contracts.genesis.rounds import check_minters, check_round
from contracts.genesis.terms import check_name, check_terms
from contracts.ids import Address, as_address, to_hex

ORDER = ("ModelTimelock", "ModelToken", "ModelGovernor", "VerifierRegistry", "EpochDistributor", "RevenueSplitter")
"""The order in which every model's contracts are made: an address follows from its maker's nonce."""
FIELDS = ("timelock", "token", "governor", "verifier_registry", "distributor", "splitter", "pool")


def deploy_model(
    w3: Web3,
    deployer: LocalAccount,
    name: str,
    symbol: str,
    verifiers: list[str],
    params: GenesisParams | None = None,
    shared: Deployment | None = None,
    log: str = "",
) -> Deployment:
    """Deploy a model's contracts and check the genesis; `shared` is a model whose ModelRegistry this one uses as well.

    `log` is the operator's log key, which nothing on the chain holds. Raises ContractRejected, GenesisRefused.
    """
    p = params or GenesisParams()
    seats = [Web3.to_checksum_address(v) for v in verifiers]
    p = replace(p, funding_currency=p.funding_currency and Web3.to_checksum_address(p.funding_currency))
    check_name(name, symbol)
    check_terms(p, seats, w3.eth.chain_id)
    d = _planned(w3, deployer, name, p, shared or _registry(w3, deployer), log)
    deadline = w3.eth.get_block("latest")["timestamp"] + p.funding_seconds
    arguments = arguments_of(d, p, symbol, seats, deadline)
    creations = dict(zip(d.contracts()[6:7], d.creations, strict=True))
    for contract in (*ORDER, *(["CapitalPool"] if d.pool else [])):
        receipt = create(w3, deployer, contract, *arguments[contract])
        creations[str(receipt["contractAddress"])] = to_hex(receipt["transactionHash"])
    d = replace(d, creations=tuple(creations[address] for address in d.contracts()))
    _hand_over(w3, deployer, d, p)
    registry = contract_at(w3, "ModelRegistry", d.model_registry)
    d = replace(d, block=send(w3, deployer, registry.functions.register(d.entry()))["blockNumber"])
    check_genesis(w3, d)
    return d


def create(w3: Web3, deployer: LocalAccount, contract: str, *arguments: Any) -> TxReceipt:
    """Make one contract."""
    artifact = load_artifact(contract)
    factory = w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
    return send(w3, deployer, factory.constructor(*arguments))


def open_round(w3: Web3, payer: LocalAccount, d: Deployment, p: GenesisParams) -> tuple[Address, str]:
    """Deploy another funding round of a model, by the `funding_` parameters; returns its address and its creation.

    It sells nothing until holders give it a budget. Raises ContractRejected and GenesisRefused.
    """
    least = p.funding_soft_cap * p.funding_token_units // p.funding_paid_units
    check_minters(w3, d, least=least)  # before it costs anything
    deadline = w3.eth.get_block("latest")["timestamp"] + p.funding_seconds
    p = replace(p, funding_currency=Web3.to_checksum_address(p.funding_currency))
    receipt = create(w3, payer, "CapitalPool", d.token, d.timelock, round_terms(p, deadline))
    address = as_address(str(receipt["contractAddress"]))
    creation = to_hex(receipt["transactionHash"])
    check_round(w3, d, address, creation)
    return address, creation


def _registry(w3: Web3, deployer: LocalAccount) -> tuple[str, str]:
    """A new model registry: its address and its creation."""
    receipt = create(w3, deployer, "ModelRegistry")
    return str(receipt["contractAddress"]), to_hex(receipt["transactionHash"])


def _planned(
    w3: Web3, deployer: LocalAccount, name: str, p: GenesisParams, registry: Deployment | tuple[str, str], log: str
) -> Deployment:
    """All addresses, if nothing else of the deployer's comes between; `creations` holds the registry's alone."""
    address, creation = registry if isinstance(registry, tuple) else (registry.model_registry, registry.creations[6])
    model = contract_at(w3, "ModelRegistry", as_address(address)).functions.modelId(deployer.address, name).call()
    nonce = w3.eth.get_transaction_count(deployer.address)
    addresses: dict[str, str] = {
        field: get_create_address(deployer.address, Nonce(nonce + i)) for i, field in enumerate(FIELDS)
    }
    if not p.funding_currency:
        addresses["pool"] = ""
    return Deployment(
        chain_id=w3.eth.chain_id,
        block=0,
        name=name,
        model=to_hex(model),
        deployer=deployer.address,
        model_registry=as_address(address),
        log=log,
        creations=(creation,),
        token=as_address(addresses["token"]),
        timelock=as_address(addresses["timelock"]),
        governor=as_address(addresses["governor"]),
        verifier_registry=as_address(addresses["verifier_registry"]),
        distributor=as_address(addresses["distributor"]),
        splitter=as_address(addresses["splitter"]),
        pool=as_address(addresses["pool"]),
    )


def _hand_over(w3: Web3, deployer: LocalAccount, d: Deployment, p: GenesisParams) -> None:
    token = contract_at(w3, "ModelToken", d.token)
    timelock = contract_at(w3, "ModelTimelock", d.timelock)
    budgets = {d.distributor: p.distributor_budget(), **({d.pool: p.tokens_sold()} if d.pool else {})}
    for minter, budget in budgets.items():
        send(w3, deployer, token.functions.setBudget(minter, budget))
    for name in GOVERNOR_ROLES:
        send(w3, deployer, timelock.functions.grantRole(role(name), d.governor))
    send(w3, deployer, token.functions.grantRole(ADMIN, timelock.address))
    for contract in (token, timelock):
        send(w3, deployer, contract.functions.renounceRole(ADMIN, deployer.address))
