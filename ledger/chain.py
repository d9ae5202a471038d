"""The ledger's view of one model's contracts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from eth_utils import keccak
from web3 import Web3
from web3.contract.contract import ContractFunction

from contracts.bindings.distributor import EpochDistributor
from contracts.bindings.governor import Action, Ballot, ModelGovernor
from contracts.bindings.model_registry import ModelRegistry
from contracts.bindings.node_stakes import NodeStakes
from contracts.bindings.token import ModelToken
from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.connection import contract_at
from contracts.chain.deployment import Deployment
from contracts.genesis.creation import first_block
from contracts.ids import from_hex
from contracts.messages.signatures import Domain


class ModelChain:
    """Wrappers of one deployment on one connection."""

    def __init__(self, w3: Web3, deployment: Deployment) -> None:
        self.w3 = w3
        self.deployment = deployment
        self.token = ModelToken(w3, deployment.token)
        self.governor = ModelGovernor(w3, deployment.governor)
        self.registry = VerifierRegistry(w3, deployment.verifier_registry)
        self.nodes = NodeStakes(w3, deployment.verifier_registry)
        self.distributor = EpochDistributor(w3, deployment.distributor)
        self.models = ModelRegistry(w3, deployment.model_registry)

    @cached_property
    def domain(self) -> Domain:
        """Domain of the messages that stay off the chain."""
        return Domain(self.deployment.chain_id, self.deployment.model_registry)

    @cached_property
    def epoch_domain(self) -> Domain:
        """Domain of EpochRoot, which the VerifierRegistry checks."""
        return Domain(self.deployment.chain_id, self.deployment.verifier_registry)

    @cached_property
    def first_block(self) -> int:
        """The block in which the first of the model's own contracts was made."""
        return first_block(self.w3, self.deployment)

    @property
    def model(self) -> bytes:
        """The model's 32-byte id."""
        return from_hex(self.deployment.model)

    def head(self) -> int:
        """Number of the newest block."""
        return int(self.w3.eth.block_number)

    def final(self) -> int:
        """Number of the newest block that no reorg can take back."""
        return int(self.w3.eth.get_block("finalized")["number"])

    def block_hash(self, number: int) -> bytes:
        """Hash of block `number`, 32 bytes; the block must exist."""
        return bytes(self.w3.eth.get_block(number)["hash"])

    def ballot_call(self, ballot: Ballot) -> ContractFunction:
        """The call that casts one ballot and reverts if it does not count (relayVotes swallows that)."""
        governor = contract_at(self.w3, "ModelGovernor", self.deployment.governor).functions
        return governor.castVoteBySig(ballot.proposal_id, ballot.support, ballot.voter, ballot.signature)

    def decision_actions(self, description: str, decisions: Sequence[Sequence[str]]) -> list[Action]:
        """The calls that a proposal of (key, value) decisions makes; ids follow from the description."""
        return [
            Action.of(self.models.decide(self.model, keccak(text=f"{description}\n{index}"), key, value))
            for index, (key, value) in enumerate(decisions)
        ]
