"""A verifier's own calls of the contracts, for messages that k verifiers signed."""

from __future__ import annotations

from eth_account.signers.local import LocalAccount
from web3 import Web3

from contracts.bindings.node_stakes import NodeStakes
from contracts.bindings.verifier_registry import EpochStatus, VerifierRegistry
from contracts.chain.connection import send
from contracts.chain.deployment import Deployment
from contracts.messages.for_contracts import EpochRoot, NodeFault, VerifierFault
from verifier.quorum.store import DueMessage


class QuorumContracts:
    """Registry and stakes of one deployment; `account` pays the gas. A refusal of the chain is raised."""

    def __init__(self, w3: Web3, deployment: Deployment, account: LocalAccount) -> None:
        self._w3 = w3
        self._account = account
        self._registry = VerifierRegistry(w3, deployment.verifier_registry)
        self._nodes = NodeStakes(w3, deployment.verifier_registry)

    def turn(self) -> int:
        """Admitted verifiers with a smaller address."""
        return sum(name.lower() < self._account.address.lower() for name in self._registry.verifiers())

    def bring(self, signed: DueMessage) -> str:
        """Propose a root, or make it final after its window; take the stake that a fault costs."""
        message = signed.message
        if isinstance(message, EpochRoot):
            return self._epoch(message, signed)
        accused = message.verifier if isinstance(message, VerifierFault) else ""
        signatures = self._registry.quorum(signed.signatures, accused)
        if not signatures:
            return ""
        if isinstance(message, NodeFault):
            send(self._w3, self._account, self._nodes.slash(message, signatures))
            return f"stake of {message.node}"
        send(self._w3, self._account, self._registry.punish(message, signatures))
        return f"stake of {message.verifier}"

    def _epoch(self, root: EpochRoot, signed: DueMessage) -> str:
        on_chain = self._registry.epoch_of(root.epoch)
        if on_chain.status == EpochStatus.NONE:
            turn = self._registry.finalized_epochs() + 1 == root.epoch and on_chain.attempt == root.attempt
            signatures = self._registry.quorum(signed.signatures) if turn and self._time() <= root.deadline else {}
            if not signatures:
                return ""
            send(self._w3, self._account, self._registry.propose(root, signatures))
            return f"root of epoch {root.epoch}"
        if on_chain.status == EpochStatus.PROPOSED and self._time() > on_chain.closes_at:
            send(self._w3, self._account, self._registry.finalize(root.epoch))
            return f"epoch {root.epoch} is final"
        lapses = on_chain.challenged_at + self._registry.dispute_limit()
        if on_chain.status == EpochStatus.DISPUTED and self._time() >= lapses:
            send(self._w3, self._account, self._registry.lapse(root.epoch))
            return f"the dispute of epoch {root.epoch} lapsed"
        return ""

    def _time(self) -> int:
        return int(self._w3.eth.get_block("latest")["timestamp"])
