"""Deploy one model's contracts and hand every power to its timelock."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.contract import Contract

from contracts.chain import contract_at, load_artifact, send
from contracts.errors import CommonweightError

ZERO = "0x" + "00" * 20


class GenesisRefused(CommonweightError):
    """Right after genesis a key outside the contracts holds a power, or a contract lacks one."""

    code = "genesis-refused"


@dataclass(frozen=True, slots=True)
class GenesisParams:
    """What a model starts with. Times in seconds, token amounts in 1e-18 tokens, stakes in wei."""

    voting_delay: int = 1
    voting_period: int = 86_400
    timelock_delay: int = 3_600
    late_quorum_extension: int = 0
    challenge_window: int = 3_600
    quorum_fraction: int = 4
    proposal_threshold: int = 0
    cap: int = 10**27
    budget: int = 10**27
    max_epoch_total: int = 10**24
    threshold: int = 2
    min_stake: int = 10**18
    bond: int = 10**17
    slash_cap: int = 10**18
    node_slash_cap: int = 10**18
    node_withdrawal_delay: int = 604_800


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where one model lives: chain id, block of its registration, model id (0x hex) and addresses."""

    chain_id: int
    block: int
    name: str
    model: str
    deployer: str
    token: str
    timelock: str
    governor: str
    verifier_registry: str
    distributor: str
    model_registry: str

    def to_json(self) -> str:
        """Return the deployment as a JSON object."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Deployment:
        """Read what `to_json` wrote."""
        return cls(**json.loads(text))


def deploy_model(
    w3: Web3,
    deployer: LocalAccount,
    name: str,
    symbol: str,
    verifiers: list[str],
    params: GenesisParams | None = None,
    model_registry: str | None = None,
) -> Deployment:
    """Deploy a model's contracts (and a ModelRegistry where none is given) and check the genesis.

    Raises ContractRejected, GenesisRefused.
    """
    p = params or GenesisParams()

    def create(contract: str, *args: Any) -> Contract:
        artifact = load_artifact(contract)
        factory = w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
        receipt = send(w3, deployer, factory.constructor(*args))
        return contract_at(w3, contract, str(receipt["contractAddress"]))

    registry = contract_at(w3, "ModelRegistry", model_registry) if model_registry else create("ModelRegistry")
    model = bytes(registry.functions.modelId(deployer.address, name).call())
    timelock = create("ModelTimelock", p.timelock_delay, [], [ZERO], deployer.address)
    token = create("ModelToken", name, symbol, p.cap, deployer.address, timelock.address)
    governor = create(
        "ModelGovernor",
        name,
        token.address,
        timelock.address,
        p.voting_delay,
        p.voting_period,
        p.proposal_threshold,
        p.quorum_fraction,
        p.late_quorum_extension,
    )
    checks = create("VerifierRegistry", timelock.address, model, verifiers, _registry_rules(p))
    distributor = create("EpochDistributor", token.address, checks.address)
    send(w3, deployer, token.functions.setBudget(distributor.address, p.budget))
    _hand_over(w3, deployer, timelock, token, governor.address)
    receipt = send(
        w3,
        deployer,
        registry.functions.register(
            name, token.address, timelock.address, governor.address, checks.address, distributor.address
        ),
    )
    deployment = Deployment(
        chain_id=w3.eth.chain_id,
        block=receipt["blockNumber"],
        name=name,
        model="0x" + model.hex(),
        deployer=deployer.address,
        token=token.address,
        timelock=timelock.address,
        governor=governor.address,
        verifier_registry=checks.address,
        distributor=distributor.address,
        model_registry=registry.address,
    )
    check_genesis(w3, deployment)
    return deployment


def _registry_rules(p: GenesisParams) -> tuple[int, ...]:
    """The registry's `Rules` struct."""
    verifiers = (p.threshold, p.min_stake, p.challenge_window, p.bond, p.slash_cap, p.max_epoch_total)
    return (*verifiers, p.node_slash_cap, p.node_withdrawal_delay)


def _hand_over(w3: Web3, deployer: LocalAccount, timelock: Contract, token: Contract, governor: str) -> None:
    for role in ("PROPOSER_ROLE", "CANCELLER_ROLE"):
        send(w3, deployer, timelock.functions.grantRole(_role(timelock, role), governor))
    admin = bytes(32)
    send(w3, deployer, token.functions.grantRole(admin, timelock.address))
    for contract in (token, timelock):
        send(w3, deployer, contract.functions.renounceRole(admin, deployer.address))


def _role(contract: Contract, name: str) -> bytes:
    return bytes(contract.get_function_by_name(name)().call())


def check_genesis(w3: Web3, deployment: Deployment) -> None:
    """Raise GenesisRefused unless exactly the contracts hold the powers.

    1. Every role ever granted on token and timelock is held by the timelock or governor, executor by anybody.
    2. Timelock administers itself and the token; governor proposes.
    3. Only the distributor has a mint budget.
    4. Registry, distributor and governor point at this model's contracts.
    """
    token = contract_at(w3, "ModelToken", deployment.token)
    timelock = contract_at(w3, "ModelTimelock", deployment.timelock)
    # 1.
    allowed = {deployment.timelock, deployment.governor}
    for contract in (token, timelock):
        for event in contract.events.RoleGranted.get_logs(from_block=0):
            role, account = event["args"]["role"], event["args"]["account"]
            open_executor = account == ZERO and bytes(role) == _role(timelock, "EXECUTOR_ROLE")
            held = contract.functions.hasRole(role, account).call()
            if held and account not in allowed and not open_executor:
                raise GenesisRefused(f"{account} holds role 0x{bytes(role).hex()} on {contract.address}")
    # 2.
    for contract, role, holder in (
        (token, bytes(32), deployment.timelock),
        (timelock, bytes(32), deployment.timelock),
        (timelock, _role(timelock, "PROPOSER_ROLE"), deployment.governor),
    ):
        if not contract.functions.hasRole(role, holder).call():
            raise GenesisRefused(f"{holder} lacks role 0x{role.hex()} on {contract.address}")
    # 3.
    minters = {e["args"]["minter"] for e in token.events.BudgetSet.get_logs(from_block=0)}
    if minters != {deployment.distributor}:
        raise GenesisRefused(f"minters are {sorted(minters)}")
    # 4.
    _check_wiring(w3, deployment)


def _check_wiring(w3: Web3, d: Deployment) -> None:
    checks = contract_at(w3, "VerifierRegistry", d.verifier_registry).functions
    distributor = contract_at(w3, "EpochDistributor", d.distributor).functions
    governor = contract_at(w3, "ModelGovernor", d.governor).functions
    model = bytes.fromhex(d.model[2:])
    entry = tuple(contract_at(w3, "ModelRegistry", d.model_registry).functions.modelOf(model).call())
    wiring = (
        (entry, (d.name, d.token, d.timelock, d.governor, d.verifier_registry, d.distributor)),
        (checks.timelock().call(), d.timelock),
        (bytes(checks.model().call()), model),
        (distributor.token().call(), d.token),
        (distributor.registry().call(), d.verifier_registry),
        (governor.token().call(), d.token),
        (governor.timelock().call(), d.timelock),
    )
    for found, wanted in wiring:
        if found != wanted:
            raise GenesisRefused(f"found {found!r} where {wanted!r} belongs")
