"""Stakes of nodes: the part of `VerifierRegistry` in `NodeStakes.sol`. Amounts in wei, times in Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass

from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.contract.contract import ContractFunction

from contracts.bindings.verifier_registry import in_signer_order
from contracts.chain.connection import contract_at
from contracts.chain.event_history import EventHistory
from contracts.ids import Address
from contracts.messages.for_contracts import NodeFault

EPOCHS_TO_WAIT = 2
"""Epochs that close after a request and become final before it is paid."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A node's withdrawal (0 where none), the second of its request, and that from which it can be paid at the latest.

    The latter moves by the seconds of disputes beyond `disputed`. The withdrawal can be paid before once
    `EPOCHS_TO_WAIT` epochs are final that settled all that opened until `requested_at`.
    """

    amount: int
    requested_at: int
    available_at: int
    disputed: int = 0


class NodeStakes:
    """The node stakes in the registry at `address`, read from `first_block` on. Writes return a call to send."""

    def __init__(self, w3: Web3, address: Address, first_block: int = 0) -> None:
        self.w3 = w3
        self.address = address
        contract = contract_at(w3, "VerifierRegistry", address)
        self._call = contract.functions
        self._history = EventHistory(contract, ["NodeStakeChanged"], first_block)

    def stake_of(self, node: Address) -> int:
        """Stake that counts; a pending withdrawal does not."""
        return int(self._call.nodeStakeOf(to_checksum_address(node)).call())

    def pending_of(self, node: Address) -> Withdrawal:
        """The node's pending withdrawal."""
        return Withdrawal(*map(int, self._call.pendingWithdrawalOf(to_checksum_address(node)).call()))

    def epochs_to_wait(self, pending: Withdrawal) -> int:
        """How many such epochs have still to be final, if the delay does not end first."""
        settled = (self._call.lastSettled().call(), self._call.secondSettled().call())
        return EPOCHS_TO_WAIT - sum(int(settled_at) > pending.requested_at for settled_at in settled)

    def stake_at(self, node: Address, block: int) -> int:
        """Stake that counted at the end of `block`. Raises BadField for a block that does not exist."""
        stakes = {str(change["args"]["node"]): int(change["args"]["stake"]) for change in self._history.until(block)}
        return stakes.get(to_checksum_address(node), 0)

    def slash_cap(self) -> int:
        """The most that one proof can cost."""
        return int(self._call.nodeSlashCap().call())

    def stake(self) -> ContractFunction:
        """Add to the sender's stake (send with value)."""
        return self._call.stakeNode()

    def request_withdrawal(self, amount: int) -> ContractFunction:
        """Take `amount` out of the sender's stake; the wait for the payment starts anew for all that is pending."""
        return self._call.requestNodeWithdrawal(amount)

    def withdraw(self, to: str) -> ContractFunction:
        """Pay the sender's pending withdrawal to `to` once two later epochs are final, or its delay has passed."""
        return self._call.withdrawNodeStake(to_checksum_address(to))

    def slash(self, fault: NodeFault, signatures: Mapping[str, bytes]) -> ContractFunction:
        """Take stake from a node on the word of k verifiers; `signatures` by signer address."""
        return self.slash_raw(fault, in_signer_order(signatures))

    def slash_raw(self, fault: NodeFault, signatures: list[bytes]) -> ContractFunction:
        """Take stake from a node with signatures as they stand."""
        return self._call.slashNode(astuple(fault), signatures)

    def hash_fault(self, fault: NodeFault) -> bytes:
        """The digest that the contract has verifiers sign."""
        return bytes(self._call.hashNodeFault(astuple(fault)).call())
