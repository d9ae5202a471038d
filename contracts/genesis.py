"""Who holds which power right after a model's contracts were deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web3 import Web3
from web3.contract import Contract

from contracts.chain import contract_at
from contracts.errors import CommonweightError

if TYPE_CHECKING:
    from contracts.deploy import Deployment

ZERO = "0x" + "00" * 20
ADMIN = bytes(32)
"""OpenZeppelin's DEFAULT_ADMIN_ROLE."""


class GenesisRefused(CommonweightError):
    """Right after genesis a key outside the contracts holds a power, or a contract lacks one."""

    code = "genesis-refused"


def check_genesis(w3: Web3, deployment: Deployment) -> None:
    """Raise GenesisRefused unless exactly the contracts hold the powers.

    1. Every role ever granted on any of the contracts is held by the timelock or governor, executor by anybody.
    2. The timelock administers itself, token, verifiers and pool, arbitrates and guards; the governor proposes.
    3. Only distributor and pool have mint budgets; the pool's pays its hard cap.
    4. All contracts point at each other, and the model registry at them.
    """
    _check_roles(w3, deployment)
    _check_budgets(w3, deployment)
    _check_wiring(w3, deployment)


def role(contract: Contract, name: str) -> bytes:
    """The 32-byte role of this name."""
    return bytes(contract.get_function_by_name(name)().call())


def _check_roles(w3: Web3, d: Deployment) -> None:
    token, timelock, checks = _token(w3, d), contract_at(w3, "ModelTimelock", d.timelock), _verifiers(w3, d)
    # 1. Contracts without roles are asked too: they must not have had any.
    allowed = {d.timelock, d.governor}
    granted = token.events.RoleGranted()
    addresses = [Web3.to_checksum_address(address) for address in d.contracts()]
    for log in w3.eth.get_logs({"fromBlock": 0, "address": addresses, "topics": [granted.topic]}):
        said, contract = granted.process_log(log)["args"], contract_at(w3, "ModelToken", log["address"])
        open_executor = said["account"] == ZERO and bytes(said["role"]) == role(timelock, "EXECUTOR_ROLE")
        held = contract.functions.hasRole(said["role"], said["account"]).call()
        if held and said["account"] not in allowed and not open_executor:
            raise GenesisRefused(f"{said['account']} holds role 0x{bytes(said['role']).hex()} on {contract.address}")
    # 2.
    needed = [
        *((contract, ADMIN, d.timelock) for contract in (token, timelock, checks)),
        (token, role(token, "GUARDIAN_ROLE"), d.timelock),
        (checks, role(checks, "ARBITER_ROLE"), d.timelock),
        (timelock, role(timelock, "PROPOSER_ROLE"), d.governor),
    ]
    if d.pool:
        needed.append((contract_at(w3, "CapitalPool", d.pool), ADMIN, d.timelock))
    for contract, wanted, holder in needed:
        if not contract.functions.hasRole(wanted, holder).call():
            raise GenesisRefused(f"{holder} lacks role 0x{wanted.hex()} on {contract.address}")


def _check_budgets(w3: Web3, d: Deployment) -> None:
    # 3. As they were set: what was minted since has lowered them.
    token = _token(w3, d)
    budgets = {e["args"]["minter"]: e["args"]["budget"] for e in token.events.BudgetSet.get_logs(from_block=0)}
    if set(budgets) != {d.distributor, d.pool} - {""}:
        raise GenesisRefused(f"minters are {sorted(budgets)}")
    if d.pool:
        pool = contract_at(w3, "CapitalPool", d.pool).functions
        sold = pool.tokensFor(pool.hardCap().call()).call()
        if budgets[d.pool] < sold:
            raise GenesisRefused(f"the pool sells up to {sold} and may mint {budgets[d.pool]}")


def _check_wiring(w3: Web3, d: Deployment) -> None:
    # 4. The entry first: it tells whether these are the model's contracts at all.
    model = bytes.fromhex(d.model[2:])
    entry = tuple(contract_at(w3, "ModelRegistry", d.model_registry).functions.modelOf(model).call())
    _require(entry, d.entry())
    checks = _verifiers(w3, d).functions
    distributor = contract_at(w3, "EpochDistributor", d.distributor).functions
    governor = contract_at(w3, "ModelGovernor", d.governor).functions
    wiring = [
        (checks.timelock().call(), d.timelock),
        (bytes(checks.model().call()), model),
        (distributor.token().call(), d.token),
        (distributor.registry().call(), d.verifier_registry),
        (governor.token().call(), d.token),
        (governor.timelock().call(), d.timelock),
        (contract_at(w3, "RevenueSplitter", d.splitter).functions.token().call(), d.token),
    ]
    if d.pool:
        pool = contract_at(w3, "CapitalPool", d.pool).functions
        wiring += [(pool.token().call(), d.token), (pool.treasury().call(), d.timelock)]
    for found, wanted in wiring:
        _require(found, wanted)


def _require(found: object, wanted: object) -> None:
    if found != wanted:
        raise GenesisRefused(f"found {found!r} where {wanted!r} belongs")


def _token(w3: Web3, d: Deployment) -> Contract:
    return contract_at(w3, "ModelToken", d.token)


def _verifiers(w3: Web3, d: Deployment) -> Contract:
    return contract_at(w3, "VerifierRegistry", d.verifier_registry)
