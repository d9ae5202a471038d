"""Money that was taken and waits for the holders: the part of `VerifierRegistry` in `HeldMoney.sol`. Amounts in wei."""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from web3 import Web3
from web3.contract.contract import ContractFunction

from contracts.chain.connection import contract_at
from contracts.chain.event_history import EventHistory
from contracts.ids import Address, as_address, to_hex


def ground_of(kind: str, digest: bytes, before: int = 0) -> bytes:
    """The ground for stake that was taken for a "proof" of a node or a "fault" of a verifier (32 bytes).

    `before` is the wei that were taken of the account for it already: each time has a ground, and a time, of its own.
    """
    return bytes(keccak(encode(["string", "bytes32", "uint256"], [kind, digest, before])))


NOBODY = "0x000000000000000000000000000000000000dEaD"
"""The address that gets money that is taken for good (HeldMoney.sol)."""


@dataclass(frozen=True, slots=True)
class HeldItem:
    """Money held of an account on a ground of 32 bytes, until a Unix second and until votes exist for long enough.

    `goes_back`: then to it, else it is burnt.
    """

    ground: str
    account: Address
    amount: int
    free_at: int
    goes_back: bool


class HeldMoney:
    """Money that the registry at `address` holds, by its events since `first_block`. Writes return a call to send."""

    def __init__(self, w3: Web3, address: Address, first_block: int = 0) -> None:
        self.w3 = w3
        contract = contract_at(w3, "VerifierRegistry", address)
        self._call = contract.functions
        self._history = EventHistory(contract, ["MoneyHeld", "HeldMoneyPaid"], first_block)

    def items(self) -> list[HeldItem]:
        """All money that waits, oldest first."""
        waiting: dict[tuple[bytes, str], HeldItem] = {}
        for event in self._history.until():
            arguments = event["args"]
            ground = bytes(arguments["ground"])
            account = str(arguments["account"])
            waiting.pop((ground, account), None)
            if event["event"] == "MoneyHeld":
                terms = (int(arguments["amount"]), int(arguments["freeAt"]), bool(arguments["isAccounts"]))
                waiting[ground, account] = HeldItem(to_hex(ground), as_address(account), *terms)
        return list(waiting.values())

    def payable_at(self, item: HeldItem) -> int | None:
        """Unix second from which `pay` is taken; None while nobody has noted that votes enough for a decision exist."""
        since = int(self._call.votesSince().call())
        return max(item.free_at, since + int(self._call.disputeLimit().call())) if since else None

    def pay(self, item: HeldItem) -> ContractFunction:
        """Pay free money to its receiver."""
        return self._call.payHeld(item.ground, item.account)
