"""What an audit takes from the chain: who may sign, how many it takes, decisions, beacons and the stakes of nodes."""

from __future__ import annotations

from web3 import Web3

from contracts.deploy import Deployment
from contracts.model_registry import ModelRegistry
from contracts.node_stakes import NodeStakes
from contracts.signing import Domain
from contracts.verifier_registry import VerifierRegistry
from verifier.audit_state import Authority


def authority_of(w3: Web3, deployment: Deployment) -> Authority:
    """The authority of one model, read through a connection that the auditor trusts."""
    place, model = deployment.verifier_registry, bytes.fromhex(deployment.model[2:])
    created = VerifierRegistry(w3, place).created(deployment.block)
    registry, stakes = VerifierRegistry(w3, place, created), NodeStakes(w3, place, created)
    models = ModelRegistry(w3, deployment.model_registry, deployment.block)

    def decision(sequence: int) -> tuple[str, str]:
        found = next((d for d in models.decisions(model) if d.sequence == sequence), None)
        return ("", "") if found is None else (found.key, found.value)

    return Authority(
        Domain(deployment.chain_id, deployment.model_registry),
        Domain(deployment.chain_id, deployment.verifier_registry),
        deployment.deployer, deployment.distributor, lambda block: registry.set_at(block).members,
        lambda block: registry.set_at(block).threshold, registry.widest_since, decision,
        lambda block: bytes(w3.eth.get_block(block)["hash"]), stakes.stake_at,
    )  # fmt: skip
