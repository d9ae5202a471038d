"""Stakes of nodes: the part of `VerifierRegistry` in `NodeStakes.sol`. Amounts in wei, times in Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple

from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.contract.contract import ContractFunction

from contracts.chain import EventHistory, contract_at
from contracts.messages import NodeFault
from contracts.verifier_registry import in_signer_order


class NodeStakes:
    """The node stakes in the registry at `address`, read from `first_block` on. Writes return a call to send."""

    def __init__(self, w3: Web3, address: str, first_block: int = 0) -> None:
        self.w3, self.address = w3, address
        contract = contract_at(w3, "VerifierRegistry", address)
        self._call = contract.functions
        self._history = EventHistory(contract, ["NodeStakeChanged"], first_block)

    def stake_of(self, node: str) -> int:
        """Stake that counts; what is being withdrawn does not."""
        return int(self._call.nodeStakeOf(to_checksum_address(node)).call())

    def pending_of(self, node: str) -> tuple[int, int]:
        """Amount that is being withdrawn (0 if none is), and the time from which it can be paid."""
        amount, available_at = self._call.pendingWithdrawalOf(to_checksum_address(node)).call()
        return int(amount), int(available_at)

    def stake_at(self, node: str, block: int) -> int:
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
        """Take `amount` out of the sender's stake, to be paid after the delay, which starts anew for all pending."""
        return self._call.requestNodeWithdrawal(amount)

    def withdraw(self, to: str) -> ContractFunction:
        """Pay the sender's pending withdrawal to `to` once its delay has passed."""
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
