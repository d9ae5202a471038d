"""What a deployer may have done before it handed its powers over: none of it may pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from web3.contract import Contract

from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.connection import contract_at
from contracts.chain.deployment import Deployment
from contracts.genesis.powers import ADMIN, role
from contracts.ids import ZERO_ADDRESS, Address
from contracts.messages.for_contracts import EpochRoot
from contracts.messages.signatures import Domain, sign
from tests.contracts.genesis.maker import Tampered, Town

DEPLOYER, RIVAL, GOVERNOR, TIMELOCK = "the deployer", "the rival", "the governor", "the timelock"
"""Stand for addresses in calls."""


def _call(name: str, *arguments: Any, of: str = "token") -> Callable[[Town, Deployment], None]:
    """The deployer calls a function of one of the contracts."""
    kinds = {"token": "ModelToken", "timelock": "ModelTimelock", "verifier_registry": "VerifierRegistry"}

    def act(town: Town, d: Deployment) -> None:
        contract = _at(town, kinds[of], getattr(d, of))
        people = {
            DEPLOYER: town.deployer.address,
            RIVAL: town.rival.address,
            GOVERNOR: d.governor,
            TIMELOCK: d.timelock,
        }
        town.act(contract.functions[name](*(people.get(a, a) for a in arguments)))

    return act


def _each(*acts: Callable[[Town, Deployment], None]) -> Callable[[Town, Deployment], None]:
    def act(town: Town, d: Deployment) -> None:
        for one in acts:
            one(town, d)

    return act


def _mint(town: Town, d: Deployment) -> None:
    """The deployer is a minter for a moment."""
    token = _at(town, "ModelToken", d.token).functions
    for call in (
        token.setBudget(town.deployer.address, 10**24),
        token.reserve(10**24),
        token.mint(b"r" * 32, town.deployer.address, 10**24),
        token.setBudget(town.deployer.address, 0),
    ):
        town.act(call)


def _first_epoch(town: Town, d: Deployment) -> None:
    """A first epoch that pays the deployer, signed by its own verifiers before anybody joined."""
    registry = VerifierRegistry(town.w3, d.verifier_registry)
    for key in town.keys:
        town.act(registry.stake(), key, 10**18)
    now = int(town.w3.eth.get_block("latest")["timestamp"])
    root = EpochRoot(
        model=bytes.fromhex(d.model[2:]),
        epoch=1,
        attempt=0,
        root=b"r" * 32,
        total=10**20,
        count=1,
        logSize=1,
        logRoot=b"l" * 32,
        settledAt=now,
        deadline=2**40,
    )
    town.act(_at(town, "ModelToken", d.token).functions.setBudget(d.distributor, 10**24))
    domain = Domain(town.w3.eth.chain_id, d.verifier_registry)
    town.act(registry.propose(root, {k.address: sign(root, domain, bytes(k.key)) for k in town.keys}))


def _at(town: Town, kind: str, address: Address) -> Contract:
    return contract_at(town.w3, kind, address)


STATE: dict[str, tuple[str, Tampered]] = {
    "the deployer minted and let go": ("tokens were minted|said Minted", Tampered(before=_mint)),
    "another minter": ("minters are", Tampered(before=_call("setBudget", DEPLOYER, 1))),
    "another minter, whose budget is gone": (
        "minters are",
        Tampered(before=_each(_call("setBudget", DEPLOYER, 1), _call("setBudget", DEPLOYER, 0))),
    ),
    "a first epoch before anybody joined": ("said EpochSigned|said EpochProposed", Tampered(before=_first_epoch)),
    "the deployer keeps the token": ("holds role", Tampered(kept=("ModelToken",))),
    "the deployer keeps the timelock": ("holds role", Tampered(kept=("ModelTimelock",))),
    "the deployer keeps both": ("holds role", Tampered(kept=("ModelToken", "ModelTimelock"))),
    "a key proposes": (
        "role",
        Tampered(governor=lambda town: town.rival.address),
    ),
    "nobody executes": (
        "lacks role",
        Tampered(before=_call("revokeRole", role("EXECUTOR_ROLE"), ZERO_ADDRESS, of="timelock")),
    ),
    "the timelock does not administer itself": (
        "lacks role",
        Tampered(before=_call("revokeRole", ADMIN, TIMELOCK, of="timelock")),
    ),
}
"""What is said, and what was done before the registration. That others are given roles the contracts refuse."""
