"""Deploys a model as contracts/genesis/deploy.py does, and lets whoever tampers change each step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes
from web3 import Web3
from web3.types import Nonce
from web3.utils.address import get_create_address

from contracts.chain.connection import connect_devnet, contract_at, load_artifact, send
from contracts.chain.deployment import Deployment
from contracts.devnet.chain import Devnet
from contracts.genesis.deploy import FIELDS, ORDER, create
from contracts.genesis.params import Arguments, GenesisParams, arguments_of
from contracts.genesis.powers import ADMIN, GOVERNOR_ROLES, role
from contracts.ids import Address, as_address
from tests.contracts.currencies import deploy_currency

SOUND = GenesisParams(
    budget=9 * 10**26,
    funding_soft_cap=10**21,
    funding_hard_cap=10**22,
    funding_token_units=1,
    funding_paid_units=1,
)
"""Terms that a public chain takes, with a funding round; the currency is the town's."""


@dataclass
class Tampered:
    """What is not as it should be. Each change gets what is right and returns what is done instead."""

    params: Callable[[GenesisParams], GenesisParams] = lambda p: p
    arguments: dict[str, Callable[[Town, Arguments], Arguments]] = field(default_factory=dict)
    init_code: dict[str, Callable[[bytes], bytes]] = field(default_factory=dict)
    encoded: dict[str, Callable[[bytes], bytes]] = field(default_factory=dict)
    verifiers: Callable[[list[str]], list[str]] = lambda seats: seats
    name: str = "Sound"
    symbol: str = "SND"
    before: Callable[[Town, Deployment], None] = lambda town, d: None
    """While the deployer still has its roles."""
    bare: bool = False
    """The token's administration is not granted to the timelock: its contract refuses that."""
    kept: tuple[str, ...] = ()
    """Contracts whose administration the deployer keeps."""
    governor: Callable[[Town], str] | None = None
    """Who is let propose and cancel in the governor's place."""
    hands_over_late: bool = False
    """After the registration."""
    entry: Callable[[Deployment], Deployment] = lambda d: d
    """What is registered."""
    told: Callable[[Town, Deployment], Deployment] = lambda town, d: d
    """What those who join are told."""


class Town:
    """One chain with a model registry and a coin; models are made on it one after another."""

    def __init__(self) -> None:
        self.deployer: LocalAccount = Account.create()
        self.rival: LocalAccount = Account.create()
        self.keys = sorted((Account.create() for _ in range(3)), key=lambda a: int(a.address, 16))
        self.chain = Devnet([a.address for a in (self.deployer, self.rival, *self.keys)])
        self.w3: Web3 = connect_devnet(self.chain)
        receipt = create(self.w3, self.deployer, "ModelRegistry")
        self.registry = (as_address(str(receipt["contractAddress"])), receipt["transactionHash"].to_0x_hex())
        self.coin = deploy_currency(self.w3, self.deployer, "PermitCurrency", 10**24).address
        self._made = 0

    @cached_property
    def other(self) -> Deployment:
        """Another model."""
        return self.make()

    def act(self, call: Any, account: LocalAccount | None = None, value: int = 0) -> Any:
        return send(self.w3, account or self.deployer, call, value=value)

    def make(self, tampered: Tampered | None = None) -> Deployment:
        """A model, and what those who join it are told."""
        t, self._made = tampered or Tampered(), self._made + 1
        p = t.params(replace(SOUND, funding_currency=self.coin))
        d = self._planned(f"{t.name} {self._made}" if t.name == "Sound" else t.name, p)
        deadline = self.w3.eth.get_block("latest")["timestamp"] + p.funding_seconds
        wanted = arguments_of(d, p, t.symbol, t.verifiers([k.address for k in self.keys]), deadline)
        creations = {d.model_registry: self.registry[1]}
        for contract in (*ORDER, *(["CapitalPool"] if d.pool else [])):
            address, creation = self._create(contract, wanted[contract], t)
            creations[address] = creation
        t.before(self, d)
        if not t.hands_over_late:
            self._hand_over(d, p, t)
        models = contract_at(self.w3, "ModelRegistry", d.model_registry)
        block = self.act(models.functions.register(t.entry(d).entry()))["blockNumber"]
        if t.hands_over_late:
            self._hand_over(d, p, t)
        told = replace(
            d, block=block, creations=tuple(creations.get(as_address(a), "0x" + "00" * 32) for a in d.contracts())
        )
        return t.told(self, told)

    def _create(self, contract: str, arguments: Arguments, t: Tampered) -> tuple[Address, str]:
        code = bytes(HexBytes(load_artifact(contract)["bytecode"]))
        if contract in t.arguments:
            arguments = t.arguments[contract](self, arguments)
        factory = self.w3.eth.contract(abi=load_artifact(contract)["abi"], bytecode=code)
        behind = bytes(HexBytes(factory.constructor(*arguments).data_in_transaction))[len(code) :]
        if contract in t.init_code:
            code = t.init_code[contract](code)
        if contract in t.encoded:
            behind = t.encoded[contract](behind)
        return self.raw(code + behind)

    def raw(self, data: bytes) -> tuple[Address, str]:
        """Make a contract by init code; its address and its creation."""
        nonce = self.w3.eth.get_transaction_count(self.deployer.address)
        transaction: dict[str, Any] = {
            "data": data,
            "nonce": nonce,
            "gas": 12_000_000,
            "gasPrice": 2 * 10**9,
            "value": 0,
            "chainId": self.w3.eth.chain_id,
        }
        signed = self.deployer.sign_transaction(transaction)
        receipt = self.w3.eth.wait_for_transaction_receipt(self.w3.eth.send_raw_transaction(signed.raw_transaction))
        return as_address(str(receipt["contractAddress"])), receipt["transactionHash"].to_0x_hex()

    def _planned(self, name: str, p: GenesisParams) -> Deployment:
        models = contract_at(self.w3, "ModelRegistry", self.registry[0])
        model = bytes(models.functions.modelId(self.deployer.address, name).call())
        nonce = self.w3.eth.get_transaction_count(self.deployer.address)
        places = {f: str(get_create_address(self.deployer.address, Nonce(nonce + i))) for i, f in enumerate(FIELDS)}
        if not p.funding_currency:
            places["pool"] = ""
        raw = {"chain_id": self.w3.eth.chain_id, "block": 0, "name": name, "model": "0x" + model.hex()}
        return Deployment.from_mapping(
            {**raw, **places, "deployer": self.deployer.address, "model_registry": self.registry[0]}
        )

    def _hand_over(self, d: Deployment, p: GenesisParams, t: Tampered) -> None:
        token, timelock = contract_at(self.w3, "ModelToken", d.token), contract_at(self.w3, "ModelTimelock", d.timelock)
        self.act(token.functions.setBudget(d.distributor, p.distributor_budget()))
        if d.pool:
            self.act(token.functions.setBudget(d.pool, p.tokens_sold()))
        for name in GOVERNOR_ROLES:
            self.act(timelock.functions.grantRole(role(name), t.governor(self) if t.governor else d.governor))
        if not t.bare:
            self.act(token.functions.grantRole(ADMIN, timelock.address))
        for name, contract in (("ModelToken", token), ("ModelTimelock", timelock)):
            if name in t.kept:
                continue
            self.act(contract.functions.renounceRole(ADMIN, self.deployer.address))
