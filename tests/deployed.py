"""A model that stands on a chain with three staked verifiers, deployed once a process: whoever wants it takes a twin.

Needs nothing but contracts/, so that a change anywhere else leaves what is loaded here as it is.
"""

from __future__ import annotations

from functools import cache

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.connection import connect_devnet, send
from contracts.chain.deployment import Deployment
from contracts.devnet.chain import Devnet
from contracts.genesis.deploy import deploy_model
from contracts.genesis.params import GenesisParams
from contracts.protocol.log.operator import LogSigner

PARAMS = GenesisParams(
    voting_delay=10,
    voting_period=20,
    timelock_delay=2,
    late_quorum_extension=0,
    quorum_floor=1,
    challenge_window=20,
    proposal_threshold=1,
)


def key_of(name: str) -> LocalAccount:
    """The account of that name; the same in every test."""
    made: LocalAccount = Account.from_key(keccak(text=f"commonweight test {name}"))
    return made


def verifier_keys() -> list[LocalAccount]:
    """Three, in the order of their addresses."""
    return sorted((key_of(f"verifier {i}") for i in range(3)), key=lambda a: a.address.lower())


@cache
def deployed(params: GenesisParams, kind: type[Devnet]) -> tuple[Devnet, Deployment]:
    """The chain, on which nothing may be sent, and what is on it."""
    creator, verifiers = key_of("creator"), verifier_keys()
    nodes = (key_of(f"node {i}") for i in range(3))  # who appeals pays a bond
    chain = kind([a.address for a in (creator, key_of("operator"), *verifiers, *nodes)])
    w3 = connect_devnet(chain)
    log = LogSigner.of(bytes(key_of("operator").key)).public.vkey()
    deployment = deploy_model(w3, creator, "m", "M", [v.address for v in verifiers], params, log=log)
    registry = VerifierRegistry(w3, deployment.verifier_registry)
    for verifier in verifiers:
        send(w3, verifier, registry.stake(), value=params.min_stake)
    return chain, deployment
