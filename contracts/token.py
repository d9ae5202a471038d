"""`ModelToken`: ownership of one model. Amounts in 1e-18 tokens."""

from __future__ import annotations

from web3 import Web3
from web3.contract.contract import ContractFunction

from contracts.chain import contract_at, rejections


class ModelToken:
    """The token at `address`. Reads raise ContractRejected; writes return a call to send."""

    def __init__(self, w3: Web3, address: str) -> None:
        self.w3, self.address = w3, address
        self._call = contract_at(w3, "ModelToken", address).functions

    def balance_of(self, account: str) -> int:
        """Tokens of `account`."""
        return int(self._call.balanceOf(account).call())

    def total_supply(self) -> int:
        """Tokens in existence."""
        return int(self._call.totalSupply().call())

    def cap(self) -> int:
        """The most tokens that can ever exist."""
        return int(self._call.cap().call())

    def votes(self, account: str) -> int:
        """Votes delegated to `account` now."""
        return int(self._call.getVotes(account).call())

    def past_votes(self, account: str, timestamp: int) -> int:
        """Votes of `account` at a past Unix second."""
        with rejections():
            return int(self._call.getPastVotes(account, timestamp).call())

    def past_balance(self, account: str, timestamp: int) -> int:
        """Tokens of `account` at a past Unix second, whomever its votes were lent to."""
        with rejections():
            return int(self._call.getPastBalance(account, timestamp).call())

    def past_total_supply(self, timestamp: int) -> int:
        """Tokens in existence at a past Unix second."""
        with rejections():
            return int(self._call.getPastTotalSupply(timestamp).call())

    def delegate_of(self, account: str) -> str:
        """Whom `account` lends its votes."""
        return str(self._call.delegates(account).call())

    def receipt_paid(self, receipt: bytes) -> bool:
        """Whether the 32-byte receipt has been minted."""
        return bool(self._call.receiptPaid(receipt).call())

    def budget_of(self, minter: str) -> int:
        """What `minter` may still mint."""
        return int(self._call.budgetOf(minter).call())

    def mint(self, receipt: bytes, to: str, amount: int) -> ContractFunction:
        """Pay a receipt once."""
        return self._call.mint(receipt, to, amount)

    def allotted(self) -> int:
        """Supply and all budgets together, at most the cap, in 1e-18 tokens."""
        return int(self._call.allotted().call())

    def set_budget(self, minter: str, budget: int) -> ContractFunction:
        """Set a minter's budget (timelock); with all others and the supply not beyond the cap."""
        return self._call.setBudget(minter, budget)

    def set_minting_paused(self, paused: bool) -> ContractFunction:
        """Stop or resume minting (guardian)."""
        return self._call.setMintingPaused(paused)

    def delegate(self, to: str) -> ContractFunction:
        """Lend the sender's votes."""
        return self._call.delegate(to)

    def transfer(self, to: str, amount: int) -> ContractFunction:
        """Send tokens."""
        return self._call.transfer(to, amount)
