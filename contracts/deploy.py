"""Deploy one model's contracts and hand every power to its timelock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.contract import Contract
from web3.types import Nonce
from web3.utils.address import get_create_address

from contracts.chain import contract_at, load_artifact, send
from contracts.genesis import (
    ADMIN,
    GOVERNOR_ROLES,
    GRACE,
    ZERO,
    GenesisRefused,
    check_dispute_limit,
    check_floor,
    check_genesis,
    check_round,
    check_settlement,
    role,
)
from contracts.tlog.keys import VerifierKey, parse_vkey


@dataclass(frozen=True, slots=True)
class GenesisParams:
    """What a model starts with. Times in seconds, token amounts in 1e-18 tokens, stakes in wei.

    With a `funding_currency` (address of an ERC-20) there is a funding round, its caps in units of that currency.
    """

    voting_delay: int = 86_400
    voting_period: int = 86_400
    timelock_delay: int = 3_600
    late_quorum_extension: int = 3_600
    challenge_window: int = 3_600
    dispute_limit: int = 2_592_000
    quorum_fraction: int = 4
    quorum_floor: int = 10**25
    proposal_threshold: int = 0
    cap: int = 10**27
    budget: int = 10**27
    max_epoch_total: int = 10**24
    threshold: int = 2
    min_stake: int = 10**18
    bond: int = 10**17
    slash_cap: int = 10**18
    node_slash_cap: int = 10**18
    node_withdrawal_delay: int = 7_776_000
    revenue_window: int = 604_800
    funding_currency: str = ""
    funding_soft_cap: int = 0
    funding_hard_cap: int = 0
    funding_seconds: int = 2_592_000
    funding_settlement: int = 1_728_000
    funding_token_units: int = 1
    funding_paid_units: int = 1

    def tokens_sold(self) -> int:
        """What the funding round mints at its hard cap; 0 without one."""
        return (
            self.funding_hard_cap * self.funding_token_units // self.funding_paid_units if self.funding_currency else 0
        )


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where one model lives: chain id, block of its registration, model id (0x hex) and addresses.

    `pool` is empty where there is no funding round. `log` is the operator's key of the transparency log as text
    (contracts/tlog/keys.py), `mirrors` where verifiers serve their copies at first: lines "ADDRESS URL".
    """

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
    splitter: str
    model_registry: str
    pool: str = ""
    log: str = ""
    mirrors: tuple[str, ...] = ()

    def contracts(self) -> tuple[str, ...]:
        """Addresses of all contracts there are."""
        own = (self.token, self.timelock, self.governor, self.verifier_registry, self.distributor, self.splitter)
        return (*own, self.model_registry, *([self.pool] if self.pool else []))

    def entry(self) -> tuple[str, ...]:
        """The `Model` struct in the model registry."""
        own = (self.token, self.timelock, self.governor, self.verifier_registry, self.distributor, self.splitter)
        return (self.name, *own, self.pool or ZERO)

    def to_json(self) -> str:
        """Return the deployment as a JSON object."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Deployment:
        """Read what `to_json` wrote."""
        return cls.from_mapping(json.loads(text))

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any]) -> Deployment:
        """From its fields as JSON has them."""
        return cls(**{**raw, "mirrors": tuple(raw.get("mirrors", ()))})

    def log_key(self) -> VerifierKey:
        """Whose signature a head of the log bears. Raises InvalidLogKey."""
        return parse_vkey(self.log)

    def first_mirrors(self) -> dict[str, str]:
        """Urls by verifier, as the deployment names them."""
        return dict(line.split(" ", 1) for line in self.mirrors)


def deploy_model(
    w3: Web3,
    deployer: LocalAccount,
    name: str,
    symbol: str,
    verifiers: list[str],
    params: GenesisParams | None = None,
    model_registry: str | None = None,
    log: str = "",
) -> Deployment:
    """Deploy a model's contracts (and a ModelRegistry where none is given) and check the genesis.

    `log` is the operator's log key, which nothing on the chain holds. Raises ContractRejected, GenesisRefused.
    """
    p = params or GenesisParams()
    _check_params(p)

    def create(contract: str, *args: Any) -> Contract:
        artifact = load_artifact(contract)
        factory = w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
        receipt = send(w3, deployer, factory.constructor(*args))
        return contract_at(w3, contract, str(receipt["contractAddress"]))

    registry = contract_at(w3, "ModelRegistry", model_registry) if model_registry else create("ModelRegistry")
    model = bytes(registry.functions.modelId(deployer.address, name).call())
    timelock = create("ModelTimelock", p.timelock_delay, [], [ZERO], deployer.address)
    token = create("ModelToken", name, symbol, p.cap, deployer.address, timelock.address)
    governor = create("ModelGovernor", name, token.address, timelock.address, *_voting(p))
    payer = _next_but(w3, deployer, 1)
    checks = create("VerifierRegistry", timelock.address, model, payer, verifiers, _registry_rules(p))
    distributor = create("EpochDistributor", token.address, checks.address)
    splitter = create("RevenueSplitter", token.address, p.revenue_window)
    pool = create("CapitalPool", token.address, timelock.address, _terms(w3, p)) if p.funding_currency else None
    budgets = {distributor.address: min(p.budget, p.cap - p.tokens_sold())}
    if pool:
        budgets[pool.address] = p.tokens_sold()
    for minter, budget in budgets.items():
        send(w3, deployer, token.functions.setBudget(minter, budget))
    _hand_over(w3, deployer, timelock, token, governor.address)
    deployment = Deployment(
        chain_id=w3.eth.chain_id,
        block=0,
        name=name,
        model="0x" + model.hex(),
        deployer=deployer.address,
        token=token.address,
        timelock=timelock.address,
        governor=governor.address,
        verifier_registry=checks.address,
        distributor=distributor.address,
        splitter=splitter.address,
        model_registry=registry.address,
        pool=pool.address if pool else "",
        log=log,
    )
    receipt = send(w3, deployer, registry.functions.register(deployment.entry()))
    deployment = replace(deployment, block=receipt["blockNumber"])
    check_genesis(w3, deployment)
    return deployment


def open_round(w3: Web3, payer: LocalAccount, d: Deployment, p: GenesisParams) -> str:
    """Deploy another funding round of a model, by the `funding_` parameters; returns its address.

    It sells nothing until holders give it a budget. Raises ContractRejected and GenesisRefused.
    """
    artifact = load_artifact("CapitalPool")
    factory = w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
    token, treasury = Web3.to_checksum_address(d.token), Web3.to_checksum_address(d.timelock)
    made = str(send(w3, payer, factory.constructor(token, treasury, _terms(w3, p)))["contractAddress"])
    check_round(w3, d, made)
    return made


def _next_but(w3: Web3, deployer: LocalAccount, skipped: int) -> str:
    """Where the deployer's contract will stand that it makes after so many other transactions (EIP-161)."""
    nonce = Nonce(w3.eth.get_transaction_count(deployer.address) + skipped)
    return str(get_create_address(deployer.address, nonce))


def _check_params(p: GenesisParams) -> None:
    if p.tokens_sold() > p.cap:
        raise GenesisRefused(f"the funding round sells {p.tokens_sold()}, more than the cap {p.cap}")
    if p.late_quorum_extension > p.voting_period:  # OpenZeppelin's rule
        raise GenesisRefused(
            f"late_quorum_extension is {p.late_quorum_extension}, and at most the voting_period, {p.voting_period}"
        )
    check_floor(p.quorum_floor, p.cap)
    vote = p.voting_delay + p.voting_period + p.late_quorum_extension + p.timelock_delay
    if p.funding_currency:
        check_settlement(p.funding_settlement, 2 * vote + 2 * GRACE)  # no vote makes its times longer than twice these
    check_dispute_limit(p.dispute_limit, vote)


def _voting(p: GenesisParams) -> tuple[int, ...]:
    """The governor's last parameters."""
    quorum = (p.quorum_fraction, p.quorum_floor)
    return (p.voting_delay, p.voting_period, p.proposal_threshold, *quorum, p.late_quorum_extension)


def _registry_rules(p: GenesisParams) -> tuple[int, ...]:
    """The registry's `Rules` struct."""
    disputes = (p.challenge_window, p.dispute_limit, p.bond)
    verifiers = (p.threshold, p.min_stake, *disputes, p.slash_cap, p.max_epoch_total)
    return (*verifiers, p.node_slash_cap, p.node_withdrawal_delay, p.quorum_floor)


def _terms(w3: Web3, p: GenesisParams) -> tuple[str | int, ...]:
    """The pool's `Terms` struct; the round's time starts now."""
    deadline = w3.eth.get_block("latest")["timestamp"] + p.funding_seconds
    currency, caps = Web3.to_checksum_address(p.funding_currency), (p.funding_soft_cap, p.funding_hard_cap)
    return (currency, *caps, deadline, p.funding_token_units, p.funding_paid_units, p.funding_settlement)


def _hand_over(w3: Web3, deployer: LocalAccount, timelock: Contract, token: Contract, governor: str) -> None:
    for name in GOVERNOR_ROLES:
        send(w3, deployer, timelock.functions.grantRole(role(timelock, name), governor))
    send(w3, deployer, token.functions.grantRole(ADMIN, timelock.address))
    for contract in (token, timelock):
        send(w3, deployer, contract.functions.renounceRole(ADMIN, deployer.address))
