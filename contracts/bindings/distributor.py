"""`EpochDistributor`: pays the leaves of final epoch roots. Amounts in 1e-18 tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from eth_typing import HexStr
from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.contract.contract import ContractFunction

from contracts.chain.connection import contract_at
from contracts.chain.event_history import EventHistory
from contracts.ids import Address, to_hex
from contracts.messages.for_contracts import ClaimTo

DELEGATION_SIZE = 23
"""Bytes of code that an account with a key may have, as the contract says."""


@dataclass(frozen=True, slots=True)
class PayoutLine:
    """A payout of an epoch and its proof, as `claim_many` takes it. `amount` in 1e-18 tokens."""

    epoch: int
    index: int
    account: Address
    kind: int
    amount: int
    proof: list[bytes]


class EpochDistributor:
    """The distributor at `address`. Writes return a call to send."""

    def __init__(self, w3: Web3, address: Address) -> None:
        self.w3 = w3
        self.address = address
        self._call = contract_at(w3, "EpochDistributor", address).functions

    def paid(self, epoch: int) -> int:
        """The sum that the epoch's leaves have been paid."""
        return int(self._call.paid(epoch).call())

    def is_claimed(self, epoch: int, index: int) -> bool:
        """Whether the epoch's line at this index was paid; for ever, once it was."""
        return bool(self._call.isClaimed(epoch, index).call())

    def paid_to(self, epoch: int, index: int, first_block: int) -> tuple[str, str]:
        """The payee of a line, and the transaction (0x-hex), by the events since `first_block`; "" for nobody."""
        events = EventHistory(
            contract_at(self.w3, "EpochDistributor", self.address), ["Claimed"], first_block, [epoch.to_bytes(32)]
        )
        for event in events.until():
            if int(event["args"]["index"]) == index:
                return str(event["args"]["to"]), to_hex(event["transactionHash"])
        return "", ""

    def only_its_own(self, account: Address) -> bool:
        """Whether the account is a contract, for which nobody else claims; a key's delegation (EIP-7702) is none."""
        return len(self.w3.eth.get_code(to_checksum_address(account))) > DELEGATION_SIZE

    def signs_by_code(self, account: Address) -> bool:
        """Whether the contract asks the account's code for its word (ERC-1271): a key's delegation is code, too."""
        return len(self.w3.eth.get_code(to_checksum_address(account))) > 0

    def leaf_of(self, epoch: int, index: int, account: Address, kind: int, amount: int) -> bytes:
        """32-byte leaf of one payout, its mint receipt."""
        return bytes(self._call.leafOf(epoch, index, account, kind, amount).call())

    def claim(
        self, epoch: int, index: int, account: Address, kind: int, amount: int, proof: list[bytes]
    ) -> ContractFunction:
        """Pay a leaf to its account; a contract is paid only where it calls itself."""
        return self._call.claim(epoch, index, account, kind, amount, proof)

    def claim_many(self, lines: Sequence[PayoutLine]) -> ContractFunction:
        """Pay lines of any epochs, each to its own account; unpayable lines are passed over, and named by events."""
        return self._call.claimMany([astuple(line) for line in lines])

    def claimed_by(self, data: str) -> list[PayoutLine]:
        """The lines that the call data (0x-hex) of `claim_many` name."""
        _, arguments = contract_at(self.w3, "EpochDistributor", self.address).decode_function_input(HexStr(data))
        return [PayoutLine(**line) for line in arguments["lines"]]

    def claim_to(self, message: ClaimTo, signature: bytes, proof: list[bytes]) -> ContractFunction:
        """Pay a leaf to the address that its account signed (`Domain` of the chain and this contract)."""
        return self._call.claimTo(*astuple(message), signature, proof)
