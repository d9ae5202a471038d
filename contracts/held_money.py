"""Money that was taken and waits for the holders: the part of `VerifierRegistry` in `HeldMoney.sol`. Amounts in wei."""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from web3 import Web3
from web3.contract.contract import ContractFunction

from contracts.chain import EventHistory, contract_at


def ground_of(kind: str, named: bytes) -> bytes:
    """Under which stake is held that was taken for a "proof" of a node or a "fault" of a verifier (32 bytes)."""
    return bytes(keccak(encode(["string", "bytes32"], [kind, named])))


@dataclass(frozen=True, slots=True)
class HeldItem:
    """What is held of an account on a ground of 32 bytes, until a Unix second; `goes_back`: then to it, else not."""

    ground: str
    account: str
    amount: int
    free_at: int
    goes_back: bool


class HeldMoney:
    """What the registry at `address` holds, from its events since `first_block`. Writes return a call to send."""

    def __init__(self, w3: Web3, address: str, first_block: int = 0) -> None:
        self.w3 = w3
        contract = contract_at(w3, "VerifierRegistry", address)
        self._call = contract.functions
        self._history = EventHistory(contract, ["MoneyHeld", "HeldMoneyPaid"], first_block)

    def items(self) -> list[HeldItem]:
        """All that waits, oldest first."""
        found: dict[tuple[bytes, str], HeldItem] = {}
        for event in self._history.until():
            said = event["args"]
            ground, account = bytes(said["ground"]), str(said["account"])
            found.pop((ground, account), None)
            if event["event"] == "MoneyHeld":
                held = (int(said["amount"]), int(said["freeAt"]), bool(said["isAccounts"]))
                found[ground, account] = HeldItem("0x" + ground.hex(), account, *held)
        return list(found.values())

    def pay(self, item: HeldItem) -> ContractFunction:
        """Pay what is free to whom it goes."""
        return self._call.payHeld(item.ground, item.account)
